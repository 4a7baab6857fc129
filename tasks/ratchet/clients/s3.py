"""A bucket on S3 or anything that speaks its protocol and honours `If-None-Match: *` on writes."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ratchet.clients.settings import StoreSettings
from ratchet.clients.store import StoreAway
from ratchet.core.errors import TerminalError

MIB = 1 << 20
PART_BYTES = 64 * MIB
MAX_PARTS = 10_000  # S3's own limit per object
MAX_CONFLICTS = 5
_KEY_ID_FILE = "s3_access_key_id"
_SECRET_FILE = "s3_secret_access_key"  # noqa: S105 - the name of a file
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_AWAY = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
    | {"RequestTimeout", "RequestTimeTooSkewed", "InternalError", "ServiceUnavailable", "ExpiredToken"}
)


class StoreRefused(TerminalError, PermissionError):
    """The bucket does not exist, or these credentials may not use it."""


class S3Bucket:
    """Atomic by S3's own promise: an object appears whole or not at all; parts of a cut upload are never visible.

    Credentials come from the files `s3_access_key_id` and `s3_secret_access_key` in the secrets directory, read again
    when they change; without them, from boto3's own chain (environment, profile, the pod's identity).
    """

    def __init__(self, settings: StoreSettings, secrets: Path, part_bytes: int = PART_BYTES) -> None:
        if not settings.bucket:
            raise TerminalError('ratchet.toml: [store] kind = "s3" needs `bucket`, the name of an existing bucket')
        self.bucket = settings.bucket
        self.prefix = f"{settings.prefix.strip('/')}/".lstrip("/")
        self.endpoint_url = settings.endpoint_url
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

    def keys(self, prefix: str) -> Iterator[str]:
        with self._answers(f"list {prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(self.prefix)

    def _put(self, key: str, source: Path) -> None:
        with source.open("rb") as content:
            self._client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=content, IfNoneMatch="*")

    def _put_in_parts(self, key: str, source: Path) -> None:
        """boto3's own upload cannot ask for `If-None-Match`, and a single put ends at 5 GiB."""
        names = {"Bucket": self.bucket, "Key": self.prefix + key}
        upload = {**names, "UploadId": self._client.create_multipart_upload(**names)["UploadId"]}
        try:
            parts = [
                {
                    "PartNumber": number,
                    "ETag": self._client.upload_part(**upload, PartNumber=number, Body=content)["ETag"],
                }
                for number, content in enumerate(self._parts(source), start=1)
            ]
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        except BaseException:
            with suppress(Exception):  # why the upload failed matters more than that its parts stayed behind
                self._client.abort_multipart_upload(**upload)
            raise

    def _parts(self, source: Path) -> Iterator[bytes]:
        part_bytes = max(self.part_bytes, -(-source.stat().st_size // MAX_PARTS))
        with source.open("rb") as content:
            while part := content.read(part_bytes):
                yield part

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
            elif status >= 500 or status == 429 or code in _AWAY:
                raise StoreAway(f"{where}: {code}; the service is busy or away, run again") from error
            else:
                raise StoreRefused(
                    f"{where}: {error}; check the bucket's name and what the credentials may do"
                ) from error
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
        return session.client("s3", endpoint_url=self.endpoint_url, config=config)
