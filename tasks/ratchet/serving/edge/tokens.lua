-- Counts what the engine says that each answer used, by key, and refuses a key that has spent its tokens.
-- Envoy has one worker, so one table is all there is; it is empty when Envoy starts.

local SECONDS = { tokens_per_minute = 60, tokens_per_day = 86400 }
local UNIT = { tokens_per_minute = "minute", tokens_per_day = "day" }
-- Longer than what an engine says of its usage: it may come in two pieces.
local TAIL_BYTES = 512
local spent = {}

-- What `key` has spent in the window of `limit` that holds `now`.
local function window_of(key, limit, now)
  local number = math.floor(now / SECONDS[limit])
  spent[key] = spent[key] or {}
  local window = spent[key][limit]
  if window == nil or window.number ~= number then
    window = { number = number, tokens = 0 }
    spent[key][limit] = window
  end
  return window
end

local function charge(key, tokens)
  for limit in pairs(SECONDS) do
    local window = window_of(key, limit, os.time())
    window.tokens = window.tokens + tokens
  end
end

-- An open edge names no key, and Ratchet's own probes are not counted.
local function key_of(handle)
  local found = handle:streamInfo():dynamicMetadata():get("ratchet")
  return found and found["key"]
end

function envoy_on_request(handle)
  local key, allowed = handle:headers():get("x-ratchet-key"), handle:filterContext()
  if key == nil or key == allowed:get("own") then
    return
  end
  handle:streamInfo():dynamicMetadata():set("ratchet", "key", key)
  local now = os.time()
  for limit, seconds in pairs(SECONDS) do
    local most = allowed:get(limit)
    if most and window_of(key, limit, now).tokens >= most then
      local wait = seconds - now % seconds
      handle:headers():add("x-ratchet-spent", limit)
      handle:respond(
        { [":status"] = "429", ["retry-after"] = tostring(wait) },
        string.format("The %d tokens per %s of key %s are spent: more in %d s.", most, UNIT[limit], key, wait)
      )
      return
    end
  end
end

-- JSON text escapes the quotes of what a user or the model says, so these find only the engine's own fields. In a
-- stream the last of them is the whole.
local function last_number(text, name, before)
  local found = before
  for number in text:gmatch('"' .. name .. '":%s*(%d+)') do
    found = tonumber(number)
  end
  return found
end

-- An engine tells its usage in a comment of the stream where the client did not ask for it (serving/usage.py). It ends here:
-- some clients take every line for data. Returns what may go on, and what waits for its other half.
local function without_own_comments(text, begins_line)
  text = (begins_line and "\n" or "") .. text
  text = text:gsub("\n: {[^\n]*\n\n", "\n")
  local half = text:find("\n: {[^\n]*\n?$") or text:find("\n: ?$")
  local held = ""
  if half then
    text, held = text:sub(1, half), text:sub(half + 1)
  end
  return begins_line and text:sub(2) or text, held
end

-- Told at each piece, not at the end: a client may leave at the last word, and then no end comes.
local function tell(handle, prompt, completion)
  local seen = handle:streamInfo():dynamicMetadata()
  seen:set("ratchet", "prompt_tokens", prompt)
  seen:set("ratchet", "completion_tokens", completion)
end

function envoy_on_response(handle)
  local key, tail, pieces, charged = key_of(handle), "", 0, 0
  local prompt, completion
  local held, begins_line = "", true
  local streams = (handle:headers():get("content-type") or ""):find("text/event-stream", 1, true) ~= nil
  for chunk in handle:bodyChunks() do
    local bytes = chunk:getBytes(0, chunk:length())
    local text = tail .. bytes
    prompt = last_number(text, "prompt_tokens", prompt)
    completion = last_number(text, "completion_tokens", completion)
    tail = text:sub(-TAIL_BYTES)
    if streams then
      local _, events = bytes:gsub("\n\n", "")
      pieces = pieces + events
      local shown
      shown, held = without_own_comments(held .. bytes, begins_line)
      begins_line = shown == "" and begins_line or shown:sub(-1) == "\n"
      chunk:setBytes(shown)
    end
    if prompt then
      tell(handle, prompt, completion or 0)
    end
    if key then
      -- A stream that its client breaks off never says what it used: it has cost a token a piece, at least.
      local used = prompt and prompt + (completion or 0) or pieces
      charge(key, used - charged)
      charged = used
    end
  end
end
