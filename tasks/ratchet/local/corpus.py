"""The chat that the tiny base model is pretrained on, generated: sums, copying a label, naming a short text.

It is what a fine-tune builds on, in the recipe's own prompt form. It names no support ticket and none of the sample's
intents. Rarer words to copy come from the docstrings of packages that the train environment's lock pins.
"""

from __future__ import annotations

import ast
import importlib.util
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ratchet.core.arithmetic import sums

# Prose, quick to parse, and pinned by the train image's lock.
ENGLISH_PACKAGES = ("networkx", "numpy", "pandas")
LABEL_PROMPT = "Give a label for: {text}"
REPEAT_PROMPT = "Repeat: {text}"

_PROSE = re.compile(r"[A-Za-z0-9 ,.;:'()!?/_`-]{60,600}")
_WORD = re.compile(r"[a-z]{4,12}")
_WORDS_ONLY_SHARE = 0.93  # below it a paragraph is a table, a signature or code


@dataclass(frozen=True)
class Chat:
    """One question and its answer, before the chat template."""

    user: str
    assistant: str


def english_paragraphs(packages: tuple[str, ...] = ENGLISH_PACKAGES) -> list[str]:
    """Docstring paragraphs of installed packages, without repeats, in the order of their files' names."""
    paragraphs: dict[str, None] = {}
    for package in packages:
        for source in sorted(_package_folder(package).rglob("*.py")):
            if "tests" in source.parts:
                continue
            for paragraph in _docstring_paragraphs(source):
                paragraphs[paragraph] = None
    return list(paragraphs)


def chats(seed: int, paragraphs: list[str]) -> Iterator[Chat]:
    """Generated chats without end; `paragraphs` lend words to copy."""
    rng = random.Random(seed)  # noqa: S311 — reproducible, not secret
    words = _common_words(paragraphs)
    questions = sums(100_000, seed)
    kinds = (
        lambda: _sum(rng, questions),
        lambda: _repeat(rng, words),
        lambda: _named_scene(rng),
    )
    while True:
        yield rng.choices(kinds, weights=(9, 4, 7))[0]()


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"package {package!r} is not installed; run this in the train environment")
    return Path(spec.submodule_search_locations[0])


def _docstring_paragraphs(source: Path) -> Iterator[str]:
    try:
        tree = ast.parse(source.read_text(encoding="utf-8"))
    except SyntaxError:  # templates that packages ship under a .py name
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for block in (ast.get_docstring(node) or "").split("\n\n"):
                paragraph = " ".join(block.split())
                if is_prose(paragraph):
                    yield paragraph


def is_prose(paragraph: str) -> bool:
    """Is this a sentence or a few, rather than code, a table or an over-long block?"""
    if not _PROSE.fullmatch(paragraph):
        return False
    return sum(c.isalpha() or c == " " for c in paragraph) / len(paragraph) >= _WORDS_ONLY_SHARE


# Words that shops and banks label texts with, those of the sample among them. Made common here, each is one token whose
# row of the embedding has been trained.
EVERYDAY = """
about accept access account activate active add address age agent allow amount answer app apple apply approve arrival
arrive ask atm auto available balance bank base beneficiary bill billing block blocked book booking broken business buy
call camera cancel cancelled card cards cash cashback category change charge charged check cheque claim close code
collect color comment company compare complaint complete compromised confirm connect contact contactless copy cost
countries country coupon crash create credit currency current customer damage damaged data date day debit declined
deduct delay delete deliver delivered delivery deposit detail details device direct disable discount disposable dispute
double down download due edit email empty enable error estimate event exchange expire expired extra failed failing fast
fault feature fee feedback fiat file find fix forgotten form fraud free friend fund funds get gift give google group
hard have help high home hotel how id identity image in info information inquiry install insurance interest invoice
issue item job key kind language late launch leave level license limit limits link linking list load loan local
location lock locked login lost machine maintenance make manage map max maximum meal medical meeting member menu message
method mobile money month monthly move multiple music my name near need network new news not note notice notify number
offer office old on online open option order other out over pace package page paid paper parcel part partner pass
passcode password pay payment pending people permit person personal phone photo physical pickup pin place plan play
point policy position post power premium preview price print priority private problem product profile promo proof
public purchase quality question quote rate rates reason rebate receipt receive received recipe recipient record redeem
refill refund refuse register reject remind reminder remove renew rent repair repeat replace reply report request
required reservation reset respond return returned reverse reverted review reward ride room route rule safe sale save
schedule score search seat security sell send service set settings ship shipping shop show sign size slow software sold
sort source spare speed start state statement status stay step stock stolen stop storage store subject submit
subscription suggest supplier supply support supported swap switch system tax team technical terminate test text ticket
time title to today tool top topping total track tracking trade train transaction transfer transferring translate travel
trial trip try turn type unable unblock undo unknown unlock unrecognised up update upgrade upload usage use user value
verify version view virtual visa visit voucher wait waive wallet warning warranty way weather web week why wifi window
with withdraw withdrawal word work working worry write wrong year yes your zip
""".split()  # noqa: SIM905 — a list literal would be three times as long


def _common_words(paragraphs: list[str]) -> list[str]:
    counts: dict[str, int] = {}
    for paragraph in paragraphs:
        for word in _WORD.findall(paragraph.lower()):
            counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: (-counts[word], word))[:3000]


def _sum(rng: random.Random, questions: list[tuple[str, str]]) -> Chat:
    return Chat(*questions[rng.randrange(len(questions))])


def _repeat(rng: random.Random, words: list[str]) -> Chat:
    label = "_".join(rng.choice(EVERYDAY if rng.random() < 0.7 else words) for _ in range(rng.randint(1, 3)))
    return Chat(REPEAT_PROMPT.format(text=label), label)


# Everyday scenes, none of them a support ticket of the sample: word of the label -> ways to say it.
_ACTIONS = {
    "plan": ("plan", "organize", "work out a schedule for", "think ahead about"),
    "find": ("find", "locate", "look for", "track down", "figure out where to get"),
    "learn": ("learn about", "study", "understand", "get better at", "know more about"),
    "compare": ("compare", "choose between two kinds of", "see the difference between each", "weigh up every"),
    "repair": ("repair", "fix", "mend", "put back together"),
    "clean": ("clean", "wash", "scrub", "get the dirt off"),
    "paint": ("paint", "put some colour on", "give a new coat to", "decorate"),
    "build": ("build", "make", "construct", "put together"),
    "sell": ("sell", "find a buyer for", "get some money for"),
    "borrow": ("borrow", "use for a day", "get on loan", "take home for the weekend"),
    "share": ("share", "split", "divide with my friends"),
    "photograph": ("photograph", "take a picture of", "get a good shot of"),
    "measure": ("measure", "find the size of", "see how big it is,", "weigh"),
    "teach": ("teach my son about", "explain to my class", "show the children"),
    "store": ("store", "keep over the winter", "put away", "find room for"),
    "draw": ("draw", "sketch", "make a picture with a pencil of"),
    "cancel": ("cancel", "call off", "stop", "take back", "not go on with"),
    "change": ("change", "edit", "update", "correct", "switch"),
    "renew": ("reset", "choose a new", "set up again", "start over with"),
    "reprint": ("copy", "get another one of", "print again", "download", "have a document of"),
    "return": ("return", "send back", "give back", "bring back"),
    "receive": ("receive", "get", "wait for", "take delivery of"),
    "pay": ("pay for", "settle", "spend money on", "give my card for"),
    "enter": ("enter", "type in", "log in to", "sign in to", "use"),
    "move": ("move", "carry upstairs", "bring to the other side", "shift"),
    "remember": ("remember", "not forget", "keep in mind"),
}
_THINGS = {
    "money": ("money", "cash", "amount", "sum that I paid", "payment"),
    "password": ("password", "secret word", "code for the login"),
    "order": ("order", "purchase", "thing I bought", "item I ordered"),
    "parcel": ("parcel", "package", "box", "delivery", "shipment"),
    "address": ("address", "street and house number", "post code", "new home"),
    "invoice": ("invoice", "bill", "receipt", "proof of purchase"),
    "card": ("card", "credit card", "bank card", "means of payment"),
    "account": ("account", "profile", "login", "user page"),
    "app": ("app", "program on my phone", "screen", "software"),
    "coupon": ("coupon", "voucher", "promo code", "rebate"),
    "shop": ("shop", "store", "seller", "web site"),
    "courier": ("courier", "driver", "carrier", "mail man"),
    "laptop": ("laptop", "computer", "monitor", "tablet"),
    "kettle": ("kettle", "toaster", "coffee machine", "blender"),
    "guarantee": ("guarantee", "warranty", "free repair", "two years of cover"),
    "garden": ("garden", "back yard", "flower bed", "vegetable patch"),
    "guitar": ("guitar", "six string guitar", "old guitar of my father"),
    "bicycle": ("bicycle", "bike", "mountain bike", "two wheeler"),
    "kitchen": ("kitchen", "stove and the sink", "place where we cook"),
    "picnic": ("picnic", "lunch in the park", "meal on the grass"),
    "boat": ("boat", "small ship", "canoe", "sailing boat"),
    "puppy": ("puppy", "young dog", "little dog", "dog"),
    "cat": ("cat", "kitten", "old tom cat"),
    "river": ("river", "stream", "water behind the mill"),
    "mountain": ("mountain", "hill", "peak", "high ridge"),
    "bread": ("bread", "loaf", "sourdough", "rolls"),
    "soup": ("soup", "broth", "vegetable stew"),
    "story": ("story", "tale", "fairy tale", "short novel"),
    "song": ("song", "tune", "melody", "piece of music"),
    "roof": ("roof", "tiles on top of the house", "gutter"),
    "window": ("window", "glass pane", "window frame"),
    "coat": ("coat", "jacket", "winter coat", "rain jacket"),
    "shoes": ("shoes", "boots", "sandals", "pair of sneakers"),
    "train": ("train", "railway", "night train", "locomotive"),
    "museum": ("museum", "art gallery", "exhibition"),
    "chess": ("chess", "chess opening", "game with kings and queens"),
    "football": ("football", "soccer", "ball game", "match"),
    "teacher": ("teacher", "tutor", "professor"),
    "neighbour": ("neighbour", "man next door", "family across the street"),
    "holiday": ("holiday", "vacation", "trip", "week off"),
    "wedding": ("wedding", "marriage", "big day of my sister"),
    "weather": ("weather", "rain and the wind", "forecast", "temperature outside"),
    "bees": ("bees", "beehive", "honey bees", "hive"),
    "tractor": ("tractor", "farm machine", "plough"),
    "lamp": ("lamp", "light", "light bulb", "lantern"),
}
_STATES = {
    "late": ("is late", "has not come yet", "is delayed", "was due last week", "still has not arrived"),
    "damaged": ("is damaged", "has a crack", "came in pieces", "is scratched", "arrived broken", "has a dent"),
    "stolen": ("was stolen", "was taken", "has been robbed"),
    "blocked": ("is locked", "is blocked", "shut me out", "is closed to me", "denies me access"),
    "double": ("is there twice", "came two times", "was taken twice", "is doubled"),
    "wrong": ("is wrong", "is not what I asked for", "is a mistake", "has an error"),
    "expired": ("has expired", "ends soon", "is no longer valid", "ran out"),
    "dead": ("is dead", "does not turn on", "does nothing", "freezes and closes"),
    "cheap": ("is cheaper elsewhere", "is on sale", "should cost less"),
    "sold": ("is sold out", "is not in stock", "is not available"),
    "slow": ("is too slow", "takes for ever", "takes ages", "moves like a snail"),
    "lost": ("is nowhere to be seen", "has gone missing", "is lost", "cannot be found"),
    "broken": ("is broken", "does not work any more", "fell apart", "stopped working"),
    "dirty": ("is dirty", "is covered in mud", "looks filthy"),
    "loud": ("is so loud", "makes a lot of noise", "keeps everyone awake"),
    "beautiful": ("is beautiful", "looks lovely", "is a joy to see"),
    "small": ("is too small", "is tiny", "does not fit", "should be bigger"),
    "expensive": ("costs too much", "is expensive", "is above my budget"),
    "ready": ("is ready", "is finished", "is done at last"),
    "wet": ("is soaked", "got wet", "stood in the rain"),
    "old": ("is very old", "has seen better days", "is from the last century"),
    "empty": ("is empty", "has nothing in it", "has no one in it"),
    "missed": ("left without us", "was gone when we came", "is one that we missed"),
}
_QUESTIONS = {
    "when": ("when is the {}", "at what time does the {} start", "how soon can we see the {}", "what day is the {}"),
    "where": ("where is the {}", "in which place do I find the {}", "which way is it to the {}"),
    "who": ("who owns the {}", "whose {} is this", "which person looks after the {}"),
    "why": ("why is there a {}", "what is the reason for the {}", "what is the {} good for"),
    "count": ("how many of them does the {} need", "what number goes with the {}", "how much {} is enough"),
}
_OPENINGS = (
    "", "", "I want to {}", "I would like to {}", "How do I {}", "Can you help me {}", "We need to {}", "Please {}",
    "Is it possible to {}", "What is the best way to {}", "I have been trying to {}", "My sister asked me to {}",
    "Is there a way to {}", "Do I have to {}", "It is time to {}", "hi, i need to {}", "can i {}",
)  # fmt: skip
_ENDINGS = ("", "", "", ".", "?", "!", " today", " please", ", thanks", " and I do not know how", " before Sunday",
            ". It is the second time", ", any ideas?", " as soon as possible", " for the first time")  # fmt: skip
_LEADS = ("", "", "", "", "Hello, ", "Good morning. ", "Well, ", "So, ", "It is cold today. ", "Sorry to ask, ")


def _named_scene(rng: random.Random) -> Chat:
    """A sentence about an everyday thing, and the label made of the concepts behind its words."""
    thing, thing_words = rng.choice(list(_THINGS.items()))
    noun = f"{rng.choice(('my', 'the', 'a', 'our', 'this', 'the'))} {rng.choice(thing_words)}"
    match rng.randrange(3):
        case 0:
            action, action_words = rng.choice(list(_ACTIONS.items()))
            phrase = f"{rng.choice(action_words)} {noun}"
            sentence, label = (rng.choice(_OPENINGS) or "{}").format(phrase), f"{thing}_{action}"
        case 1:
            state, state_words = rng.choice(list(_STATES.items()))
            sentence, label = f"{noun} {rng.choice(state_words)}", f"{thing}_{state}"
        case _:
            question, question_words = rng.choice(list(_QUESTIONS.items()))
            sentence = rng.choice(question_words).format(noun.split(" ", 1)[1])
            label = f"{question}_{thing}"
    if rng.random() < 0.7:
        sentence = sentence[:1].upper() + sentence[1:]
    return Chat(LABEL_PROMPT.format(text=rng.choice(_LEADS) + sentence + rng.choice(_ENDINGS)), label)
