"""A bucket on S3 or anything that speaks its protocol and honours `If-None-Match: *` on writes."""

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ratchet.clients.bucket import StoreAway
from ratchet.clients.settings import BadSettings, StoreSettings
from ratchet.core.errors import TerminalError

MIB = 1 << 20
PART_BYTES = 64 * MIB
MAX_PARTS = 10_000  # S3's own limit per object
NUM_PARALLEL = 4  # parts in memory at a time, too
MAX_CONFLICTS = 5
_KEY_ID_FILE = "s3_access_key_id"
_SECRET_FILE = "s3_secret_access_key"  # noqa: S105 - the name of a file
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_WRONG_REGION = "the bucket is in another region: set `region` under [store] in ratchet.toml"
_WRONG_KEY = "the service does not know these credentials: look at s3_access_key_id and s3_secret_access_key"
_REMEDIES = {
    "NoSuchBucket": "there is no such bucket: make it, or set `bucket` under [store] in ratchet.toml",
    "PermanentRedirect": _WRONG_REGION,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "IllegalLocationConstraintException": _WRONG_REGION,
    "301": _WRONG_REGION,
    "InvalidAccessKeyId": _WRONG_KEY,
    "SignatureDoesNotMatch": _WRONG_KEY,
    "AccessDenied": "the credentials may not do this; they need get, put, list and, below checkpoints/, drop/ and "
    "inbox/, delete",
    "403": "the credentials may not do this, or the service does not know them",
}
_AWAY = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
    | {"RequestTimeout", "RequestTimeTooSkewed", "InternalError", "ServiceUnavailable"}
)
_EXPIRED = frozenset({"ExpiredToken", "TokenRefreshRequired"})


class StoreRefused(TerminalError, PermissionError):
    """The bucket does not exist, or these credentials may not use it."""

    code = "STORE_REFUSED"


class CredentialsExpired(StoreAway):
    """They are read anew at each call, so a retry helps once they are renewed."""

    code = "AUTH_EXPIRED"


class S3Bucket:
    """Atomic by S3's own promise: an object appears whole or not at all; parts of a cut upload are never visible.

    Credentials come from the files `s3_access_key_id` and `s3_secret_access_key` in the secrets directory, read again
    when they change; without them, from boto3's own chain (environment, profile, the pod's identity).
    """

    def __init__(self, settings: StoreSettings, secrets: Path, part_bytes: int = PART_BYTES) -> None:
        if not settings.bucket:
            raise BadSettings('ratchet.toml: [store] kind = "s3" needs `bucket`, the name of an existing bucket')
        self.bucket = settings.bucket
        self.prefix = f"{settings.prefix.strip('/')}/".lstrip("/")
        self.endpoint_url = settings.endpoint_url
        self.region = settings.region
        self.secrets = secrets
        self.part_bytes = part_bytes
        self._made: tuple[tuple[str, str] | None, Any] | None = None

    def create(self, key: str, source: Path) -> bool:
        if self.exists(key):
            return False
        write = self._put if source.stat().st_size <= self.part_bytes else self._put_in_parts
        for _ in range(MAX_CONFLICTS):
            with self._answers(f"write {key} ({source.stat().st_size} bytes)") as refusal:
                write(key, source)
            if not refusal:
                return True
            if refusal == ["PreconditionFailed"]:
                return False
        raise StoreAway(
            f"cannot write {key} in s3://{self.bucket}/{self.prefix}: {MAX_CONFLICTS} conflicts with other writers; "
            "run again"
        )

    def fetch(self, key: str, target: Path) -> None:
        with self._answers(f"read {key}", absent=key):
            self._client.download_file(self.bucket, self.prefix + key, str(target))

    def exists(self, key: str) -> bool:
        try:
            with self._answers(f"look for {key}", absent=key):
                self._client.head_object(Bucket=self.bucket, Key=self.prefix + key)
        except KeyError:
            return False
        return True

    def delete(self, key: str) -> None:
        with self._answers(f"delete {key}"):
            self._client.delete_object(Bucket=self.bucket, Key=self.prefix + key)

    def keys(self, prefix: str) -> Iterator[str]:
        yield from (key for key, _ in self.stamps(prefix))

    def stamps(self, prefix: str) -> Iterator[tuple[str, str]]:
        """As keys, each with a stamp that is another one after every write."""
        with self._answers(f"list {prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    written = f"{entry['ETag'].strip(chr(34))}-{entry['LastModified'].timestamp():.0f}"
                    yield entry["Key"].removeprefix(self.prefix), written

    def _put(self, key: str, source: Path) -> None:
        content = source.read_bytes()
        names = {"Bucket": self.bucket, "Key": self.prefix + key}
        self._client.put_object(**names, **_checked(content), IfNoneMatch="*")

    def _put_in_parts(self, key: str, source: Path) -> None:
        """boto3's own upload cannot ask for `If-None-Match`, and a single put ends at 5 GiB."""
        names = {"Bucket": self.bucket, "Key": self.prefix + key}
        upload = {**names, "UploadId": self._client.create_multipart_upload(**names)["UploadId"]}
        try:
            with ThreadPoolExecutor(NUM_PARALLEL) as threads:
                parts = list(threads.map(lambda part: self._put_part(upload, source, *part), self._parts(source)))
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        except BaseException:
            with suppress(Exception):  # why the upload failed matters more than that its parts stayed behind
                self._client.abort_multipart_upload(**upload)
            raise

    def _put_part(self, upload: dict[str, str], source: Path, number: int, offset: int, length: int) -> dict[str, Any]:
        with source.open("rb") as file:
            file.seek(offset)
            content = file.read(length)
        etag = self._client.upload_part(**upload, PartNumber=number, **_checked(content))["ETag"]
        return {"PartNumber": number, "ETag": etag}

    def _parts(self, source: Path) -> Iterator[tuple[int, int, int]]:
        """(number, offset, bytes) of each part."""
        size = source.stat().st_size
        part_bytes = max(self.part_bytes, -(-size // MAX_PARTS))
        for number, offset in enumerate(range(0, size, part_bytes), start=1):
            yield number, offset, min(part_bytes, size - offset)

    @contextmanager
    def _answers(self, doing: str, absent: str | None = None) -> Iterator[list[str]]:
        """Give S3's refusals their kind. A failed precondition or conflict is put into the list that is handed out.

        Args:
            absent: the key to raise KeyError with when the object is not there.
        """
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

        where = f"cannot {doing} in s3://{self.bucket}/{self.prefix}"
        refusal: list[str] = []
        try:
            yield refusal
        except ClientError as error:
            code = str(error.response["Error"].get("Code", ""))
            status = int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))
            if status in (409, 412) and code in ("PreconditionFailed", "ConditionalRequestConflict"):
                refusal.append(code)
            elif absent is not None and code in _ABSENT:
                raise KeyError(absent) from None
            elif code in _EXPIRED:
                files = f"{self.secrets / _KEY_ID_FILE} and {self.secrets / _SECRET_FILE}"
                raise CredentialsExpired(
                    f"{where}: {code}; renew them in {files}, or what gives the pod its identity, then run again"
                ) from error
            elif status >= 500 or status == 429 or code in _AWAY:
                raise StoreAway(f"{where}: {code}; the service is busy or away, run again") from error
            else:
                remedy = _REMEDIES.get(code, "check the bucket's name and what the credentials may do")
                raise StoreRefused(f"{where}: {error}; {remedy}") from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            files = f"{self.secrets / _KEY_ID_FILE} and {self.secrets / _SECRET_FILE}"
            raise StoreRefused(f"{where}: {error}; put them into {files}") from error
        except (BotoCoreError, Boto3Error) as error:  # no answer, or half of one
            raise StoreAway(f"{where}: {error}; the service is away, run again") from error

    @property
    def _client(self) -> Any:
        credentials = self._credentials()
        if self._made is None or self._made[0] != credentials:
            self._made = (credentials, self._make_client(credentials))
        return self._made[1]

    def _credentials(self) -> tuple[str, str] | None:
        files = self.secrets / _KEY_ID_FILE, self.secrets / _SECRET_FILE
        if not all(path.is_file() for path in files):
            return None
        return files[0].read_text("utf-8").strip(), files[1].read_text("utf-8").strip()

    def _make_client(self, credentials: tuple[str, str] | None) -> Any:
        import boto3
        from botocore.config import Config

        key_id, secret = credentials or (None, None)
        config = Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 5},
            # Digests are checked by the store; other implementations choke on the newer checksum headers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if self.endpoint_url else None,
        )
        session = boto3.session.Session(aws_access_key_id=key_id, aws_secret_access_key=secret)
        return session.client("s3", endpoint_url=self.endpoint_url, region_name=self.region, config=config)


def _checked(content: bytes) -> dict[str, Any]:
    """The service refuses bytes that are not those that were sent."""
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    return {"Body": content, "ContentMD5": base64.b64encode(digest).decode()}
