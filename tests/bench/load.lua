-- For wrk: PUT or GET over a bounded set of keys; the result as one line of JSON.
local VALUE = string.rep("v", 100)
local method, keys, number

function init(arguments)
  method = arguments[1]
  keys = tonumber(arguments[2])
  number = 0
end

function request()
  number = number % keys + 1
  return wrk.format(method, "/kv/bench-" .. number, nil, method == "PUT" and VALUE or nil)
end

function done(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
