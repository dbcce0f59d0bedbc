"""Where a scheme is fetched from, for an import or to see that it is live."""

from collections.abc import Iterator
from contextlib import contextmanager

from console.errors import NotLiveError, RefusedAddressError
from gateway.addresses import AddressPolicy, AddressRefusedError, Resolver, parse_url, resolve
from gateway.outbound import OutboundClient
from gateway.scheme_download import SchemeDownloadError, SchemeServer


class PublicAddress:
    """A scheme's public address.

    Args:
        url: where the scheme's files are, with or without a slash at the end.
        policy: which hosts may be called.
        https_only: whether it must be https, and lead to a host that may be called now.
        resolver: gives the addresses of a host.

    Raises:
        RefusedAddressError: it is no address that may be called.
    """

    def __init__(self, url: str, policy: AddressPolicy, *, https_only: bool = True, resolver: Resolver = resolve) -> None:
        try:
            parts = parse_url(url, https_only=https_only)
            if parts.userinfo or parts.query:
                raise RefusedAddressError(url.partition("?")[0].rpartition("@")[2], "must be a web address without user name and query")
            if https_only:
                # Only to tell at once; what counts is the judgement of each connection. Without network, a name may not be known yet.
                policy.addresses(parts.host, parts.port or 443, resolver)
        except AddressRefusedError as error:
            raise RefusedAddressError(error.address or ascii(url[:200])[1:-1], error.rule) from error
        except OSError as error:
            raise RefusedAddressError(url, "the host is not known") from error
        self.url = url.rstrip("/") + "/"
        self._policy = policy
        self._https_only = https_only
        self._resolver = resolver

    @contextmanager
    def open(self) -> Iterator[SchemeServer]:
        """Fetch several files.

        Raises:
            NotLiveError: one of them cannot be had, or is not what the signed index says.
        """
        client = OutboundClient(self._policy, resolver=self._resolver, user_agent="irmahub")
        try:
            yield SchemeServer(self.url, client, https_only=self._https_only)
        except SchemeDownloadError as error:
            raise NotLiveError(str(error)) from error
        finally:
            client.close()
