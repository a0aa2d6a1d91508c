"""Every bound and time limit of the HTTP side, with its unit and its reason."""

from __future__ import annotations

# Connections

MAX_CONNECTIONS = 900
"""Open connections at once: below the usual soft limit of 1,024 open files, with room for peers, log and snapshots."""

HEADER_DEADLINE_S = 10.0
"""From the first byte of a request to the end of its header, however slowly the bytes drip in."""

BODY_DEADLINE_S = 60.0
"""From the end of the header to the end of the body: 8 MiB at 140 kB/s."""

IDLE_DEADLINE_S = 75.0
"""Between two requests of a connection. Longer than FORWARD_IDLE_S, so that a follower never reuses a connection
that its leader is about to close."""

CLOSE_DEADLINE_S = 60.0
"""How long a connection that we close may take to fetch the rest of its answer, before it is cut."""

DRAIN_DEADLINE_S = 5.0
"""How long the body of a refused request is read and thrown away: closing with unread bytes makes the kernel send a
reset, which can overtake the answer."""

DRAIN_LIMIT_BYTES = 16 * 1024 * 1024
"""How much of it is thrown away: twice the largest value that a configuration can allow."""

STOP_LINGER_S = 0.3
"""How long a site that stops still waits for requests on idle connections: longer than a round trip and a client's work
between two requests. A request that is on its way while its connection is closed gets a reset for an answer, and whoever
sent it cannot know what became of it; an answer with ``Connection: close`` ends a busy connection without that."""

SWEEP_INTERVAL_S = 1.0
"""How often deadlines are looked at. One timer for all connections costs less than two timers a request."""

# Requests

MAX_BUFFERED_BODY_BYTES = 256 * 1024 * 1024
"""Bodies of all requests that are being received or answered, together. More gets 503."""

MAX_JSON_BODY_BYTES = 64 * 1024
"""Body of an admin request, and of a request whose body means nothing."""

MAX_LENGTH_DIGITS = 19
"""Digits of a Content-Length: those of the largest number of 63 bits."""

MAX_REQUEST_ID_BYTES = 128
"""Longest ``X-Request-ID`` that is echoed."""

MAX_QUERY_BYTES = 4096
"""Longest query string; everything that a route knows fits many times."""

MAX_LIST_QUERY_BYTES = 8192
"""Longest query string of a listing: prefix and start may have a key's 1,024 bytes each, three times that when they are
percent-encoded, and a cursor has up to 1,380."""

MAX_CONDITION_TAGS = 64
"""Entity tags in one If-Match or If-None-Match."""

DEFAULT_TIMEOUT_S = 10.0
"""How long a request waits for the cluster where the client did not say."""

MAX_TIMEOUT_S = 300.0
"""Longest wait that ``?timeout=`` can ask for: it holds a connection."""

# Listings

DEFAULT_PAGE_ITEMS = 100
"""Items of a page where the client did not say how many."""

MAX_PAGE_ITEMS = 1000
"""Most items of a page that a client can ask for: a few milliseconds of work."""

MAX_DELIMITER_BYTES = 16
"""Longest ``delimiter`` of a listing, in bytes of UTF-8: a sign or a short word between the parts of a key. It fits the query
string beside prefix, start and cursor."""

MAX_PAGE_BYTES = 2 * 1024 * 1024
"""Bytes of JSON after which a page ends early, unless it has only one item. The reactor makes that much in 10 ms at most, a
thousand values of 1 KiB fit, and so does a value of the default ``max_value_bytes`` in base64."""

# Forwarding

FORWARD_CONNECT_TIMEOUT_S = 2.0
"""To look up the leader's name and connect to it; peers are near."""

FORWARD_MARGIN_S = 2.0
"""How much longer than the leader the follower waits, so that the leader's own answer wins the race."""

FORWARD_IDLE_S = 30
"""How long an unused connection to the leader is kept."""

FORWARD_CONNECTIONS = 128
"""Connections to the leader that are kept for reuse."""

MAX_FORWARDS = 512
"""Requests on their way to the leader at once; more get 503."""

MAX_FORWARD_ANSWER_BYTES = 1024 * 1024
"""Longest answer to a write that is relayed; real ones are a few hundred bytes."""

# Events

MAX_STREAMS = 64
"""Streams of events at once: pages that people look at. Each takes a connection and a few kilobytes; more get 503."""

STREAM_STALL_S = 30.0
"""How long the client of a stream may read nothing, once its buffers are full, before it is dropped. A laptop that wakes up,
or a network that comes back, needs less."""

STREAM_CLOSE_DEADLINE_S = 1.0
"""How long the end of a stream may take to leave. Nothing depends on it, and it must not hold up a node that stops."""

STREAM_RETRY_MS = 1000
"""After which time a browser whose stream broke off connects again: about as long as an election takes."""

LOOK_INTERVAL_S = 0.2
"""How often the node is looked at for news and changes: they are to be seen within 250 ms."""

CLUSTER_INTERVAL_S = 1.0
"""The longest time between two pictures of the cluster on a stream: a page that gets none for longer knows it is cut off."""

SAMPLE_INTERVAL_S = 1.0
"""Between two samples of the rates."""

SHORTEST_SAMPLE_S = SAMPLE_INTERVAL_S / 2
"""What a sample covers at least. A timer that was late leaves a few milliseconds to the next one: a few requests in them
would be thousands a second, and the plots would have their height from that."""

KEPT_SAMPLES = 300
"""Samples that are kept: five minutes, for the plots of a page that is opened late. Some 100 kB."""

KEPT_NEWS = 100
"""News that is kept: more than a page shows, and enough for an evening of elections."""

SAMPLE_LATENCIES = 1024
"""Latencies of one method that are kept within a sample: ten of them lie above the 99th percentile."""

FAULT_LOG_INTERVAL_S = 60.0
"""How often a fault in what is done again and again is logged, with its traceback: it may come back five times a second."""

WATCH_S = 5.0
"""How long an asker counts as watching: longer than the time between two asks of a page that polls, and than a reload."""

ASK_INTERVAL_S = 0.5
"""Between two questions to another member, while somebody watches."""

ASK_LIMIT_S = 1.0
"""How long a member may take to tell its status, connecting included: it has that at hand."""

MAX_ASK_ANSWER_BYTES = 16 * 1024
"""Longest status of a member that is read; real ones have 500 bytes."""

REPORT_FRESH_S = 3.0
"""How long the last thing that a member said of itself is shown after it fell silent."""

# Pages

MAX_STATIC_FILE_BYTES = 4 * 1024 * 1024
"""Largest file of the dashboard; they are held in memory."""

MAX_STATIC_FILES = 256
"""How many files the dashboard may have."""
