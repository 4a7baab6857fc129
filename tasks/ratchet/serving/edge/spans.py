"""A span of each request of a user, by OTLP to the collector of `[traces]`: who answered, how and how much.

Never what was said: what Envoy tells by itself of a client's own words (path and query, user agent, …) is replaced.
"""

import ssl
from typing import Any
from urllib.parse import SplitResult, urlsplit

import certifi

from ratchet.clients.openai import COLOUR_HEADER, RELEASE_HEADER
from ratchet.clients.routes import HEALTH_PATH
from ratchet.clients.settings import TraceSettings
from ratchet.serving.edge.access_log import MAX_REQUEST_ID, TOKENS
from ratchet.serving.edge.envoy import extension, typed

SERVICE = "ratchet-edge"
CLUSTER = "collector"
EXPORT_SECONDS = 5
# OpenTelemetry's names, of its conventions for HTTP and for generative AI, where it has one. As in the access log.
ATTRIBUTES = {
    "http.request.method": "%REQ(:method):7%",
    "http.route": "%ROUTE_NAME%",
    "http.response.status_code": "%RESPONSE_CODE%",
    "gen_ai.response.model": f"%RESP({RELEASE_HEADER})%",
    "gen_ai.usage.input_tokens": f"%DYNAMIC_METADATA({TOKENS}:prompt_tokens)%",
    "gen_ai.usage.output_tokens": f"%DYNAMIC_METADATA({TOKENS}:completion_tokens)%",
    "ratchet.release": f"%RESP({RELEASE_HEADER})%",
    "ratchet.colour": f"%RESP({COLOUR_HEADER})%",
    "ratchet.request_id": f"%REQ(x-request-id):{MAX_REQUEST_ID}%",
    "ratchet.details": "%RESPONSE_CODE_DETAILS%",
    "ratchet.ms_to_first_byte": "%RESPONSE_DURATION%",
}
# What Envoy says of a client in the client's own words, or of where it is; it cannot be told not to.
HIDDEN = ("http.url", "http.method", "user_agent", "peer.address", "downstream_cluster", "guid:x-request-id")
# It says these of whoever calls his request gRPC.
HIDDEN_OF_GRPC = ("grpc.path", "grpc.authority", "grpc.content_type", "grpc.timeout")
_IF_GRPC = "%CEL(request.headers['content-type'].startsWith('application/grpc') ? '-' : '')%"
# A caller's trace is gone on with; nothing else that a client may say of it is kept, nor can one ask for more.
NOT_THE_CALLERS = ("tracestate", "x-client-trace-id", "x-envoy-force-trace", "x-envoy-downstream-service-cluster")
# The router asks for the state in force every few milliseconds, a cluster every two seconds: parts of no trace.
_NO_TRACE = f"%CEL(request.url_path == '{HEALTH_PATH}' ? '00-{1:032x}-{1:016x}-00' : '')%"


def request_spans(traces: TraceSettings, line: str) -> dict[str, Any]:
    """Fields of Envoy's connection manager; none without a collector."""
    if not traces.otlp_endpoint:
        return {}
    values = {**ATTRIBUTES, **dict.fromkeys(HIDDEN_OF_GRPC, _IF_GRPC)}  # none is told where it is empty
    told = [{"tag": name, "value": value} for name, value in values.items()]
    fixed = {"gen_ai.provider.name": "vllm", "gen_ai.request.model": line, **dict.fromkeys(HIDDEN, "-")}
    return {
        "tracing": {
            "provider": _tracer(traces),
            "operation": "%REQ(:method):7% %ROUTE_NAME%",
            "custom_tags": [*told, *({"tag": name, "literal": {"value": value}} for name, value in fixed.items())],
        },
        # A request id is the client's: it neither decides what is traced, nor is it changed to say so.
        "request_id_extension": {
            "typed_config": typed(
                "request_id.uuid.v3.UuidRequestIdConfig",
                pack_trace_reason=False,
                use_request_id_for_trace_sampling=False,
            )
        },
        "early_header_mutation_extensions": [_only_the_callers_trace()],
    }


def collector(traces: TraceSettings) -> list[dict[str, Any]]:
    """Where spans go, as Envoy's clusters; none without a collector."""
    if not traces.otlp_endpoint:
        return []
    url = urlsplit(traces.otlp_endpoint)
    where = {"socket_address": {"address": url.hostname, "port_value": _port(url)}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": where}}]}]
    return [
        {
            "name": CLUSTER,
            "type": "STRICT_DNS",
            "connect_timeout": "1s",
            "load_assignment": {"cluster_name": CLUSTER, "endpoints": endpoints},
            **({"transport_socket": _tls(str(url.hostname))} if url.scheme == "https" else {}),
        }
    ]


def _tracer(traces: TraceSettings) -> dict[str, Any]:
    uri = {
        "uri": f"{traces.otlp_endpoint.rstrip('/')}/v1/traces",
        "cluster": CLUSTER,
        "timeout": f"{EXPORT_SECONDS}s",
    }
    config = {
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        "service_name": SERVICE,
        "http_service": {"http_uri": uri},
        "sampler": _sampler("parent_based", "ParentBased", wrapped_sampler=_share(traces.request_share)),
    }
    return {"name": "envoy.tracers.opentelemetry", "typed_config": config}


def _share(share: float) -> dict[str, Any]:
    percentage = {"numerator": round(share * 1e6), "denominator": "MILLION"}
    return _sampler("trace_id_ratio_based", "TraceIdRatioBased", sampling_percentage=percentage)


def _sampler(name: str, message: str, **fields: Any) -> dict[str, Any]:
    kind = f"tracers.opentelemetry.samplers.v3.{message}SamplerConfig"
    return extension(f"envoy.tracers.opentelemetry.samplers.{name}", kind, **fields)


def _only_the_callers_trace() -> dict[str, Any]:
    removed = [{"remove": header} for header in NOT_THE_CALLERS]
    said = {"header": {"key": "traceparent", "value": _NO_TRACE}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        "http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[*removed, {"append": said}],
    )


def _tls(host: str) -> dict[str, Any]:
    """By the certificate authorities that this machine, or SSL_CERT_FILE, trusts."""
    trusted = ssl.get_default_verify_paths().cafile or certifi.where()
    context = {
        "trusted_ca": {"filename": trusted},
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
    }
    return extension(
        "envoy.transport_sockets.tls",
        "transport_sockets.tls.v3.UpstreamTlsContext",
        sni=host,
        common_tls_context={"validation_context": context},
    )


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
