"""What was never sent, and what may have been: no error that comes after the first byte is ever taken for one before it."""

from socket import gaierror

import pytest
from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web._newclient import ParseError, RequestNotSent
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed, ResponseNeverReceived

from minicloud.connecting.bodies import BodyCutShort, BodyTooLong
from minicloud.connecting.failures import HandshakeFailed, NotMade, never_sent, reason_of, was_given_up
from tests.client.network import Network

REFUSED_CERTIFICATE = SSL.Error([("SSL routines", "", "certificate verify failed")])


def wrapped(wrapper: type[Exception], cause: BaseException) -> BaseException:
    return wrapper([Failure(cause)])


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        (NotMade("a header is no text"), "a header is no text"),
        (error.ConnectionRefusedError(), "connection refused"),
        (error.DNSLookupError("node1"), "no such host"),
        (gaierror(-2, "Name or service not known"), "no such host"),
        (error.TimeoutError(), "no connection within 2 s"),
        (error.NoRouteError(113, "No route to host"), "no connection: "),
        (error.ConnectingCancelledError(None), ""),
        (error.UnsupportedAddressFamily(), ""),
        (RequestNotSent(), ""),
        (HandshakeFailed("its TLS certificate is not to be trusted"), "its TLS certificate is not to be trusted"),
    ],
)
def test_what_comes_before_the_first_byte_was_never_sent(failed: BaseException, reason: str) -> None:
    assert never_sent(failed)
    assert reason_of(failed, 2.0).startswith(reason)


@pytest.mark.parametrize(
    "failed",
    [
        wrapped(ResponseNeverReceived, error.ConnectionLost()),
        wrapped(ResponseNeverReceived, error.ConnectionRefusedError()),
        wrapped(ResponseNeverReceived, REFUSED_CERTIFICATE),
        wrapped(ResponseNeverReceived, HandshakeFailed()),
        wrapped(ResponseNeverReceived, error.ConnectingCancelledError(None)),
        wrapped(ResponseFailed, CancelledError()),
        wrapped(ResponseFailed, ParseError("wrong number of parts", b"certificate verify failed")),
        wrapped(ResponseFailed, SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")])),
        wrapped(RequestTransmissionFailed, error.ConnectionDone()),
        wrapped(RequestGenerationFailed, ValueError()),
        CancelledError(),
        BodyCutShort(),
        BodyTooLong(),
        error.ConnectionLost(),
        ValueError("certificate verify failed"),
    ],
)
def test_everything_else_may_have_been_sent(failed: BaseException) -> None:
    assert not never_sent(failed)


def test_an_answer_that_is_no_http_is_told_from_a_connection_that_ended() -> None:
    no_http = wrapped(ResponseFailed, ParseError("wrong number of parts", b"SSH-2.0-OpenSSH_9.6"))
    assert reason_of(no_http, 2.0) == "what it answered is not HTTP; is that the HTTP port of a node?"
    ended = wrapped(ResponseNeverReceived, error.ConnectionLost())
    assert reason_of(ended, 2.0).startswith("the connection ended before the answer: ")


def test_giving_up_is_told_at_every_stage() -> None:
    given_up = [CancelledError(), BodyCutShort(), error.ConnectingCancelledError(None)]
    assert all(was_given_up(failed) and was_given_up(wrapped(ResponseFailed, failed)) for failed in given_up)
    assert not was_given_up(error.ConnectionLost())


def test_a_server_that_has_the_request_cannot_talk_itself_out_of_it() -> None:
    """Its answer is no HTTP, and has the words of a certificate that was refused."""

    def reply(request: object) -> int:
        network.links[0][1].serverIO.write(b"certificate verify failed\r\n\r\n")
        return 1

    network = Network()
    network.serve("a:1", always=reply)
    outcome: list[Failure] = []
    network.client("a:1").put("k", b"v").addErrback(outcome.append)
    network.advance(1.0)
    assert (type(outcome[0].value).__name__, len(network.seen)) == ("OutcomeUnknown", 1)
