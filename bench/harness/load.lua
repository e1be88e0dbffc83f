-- wrk's script: as many requests at once as its argument says, and a summary that a program can read.

-- Replaces wrk's own request, so that it stays a constant: a function named `request` would be called for
-- each one, and the load would cost more than it must.
local init = wrk.init
function wrk.init(args)
   init(args)
   local batch = string.rep(wrk.request(), tonumber(args[1]))
   wrk.request = function() return batch end
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      "summary requests=%d bytes=%d duration_us=%d connect=%d read=%d write=%d status=%d timeout=%d " ..
      "latency_us_p50=%d latency_us_p99=%d latency_us_max=%d\n",
      summary.requests, summary.bytes, summary.duration,
      errors.connect, errors.read, errors.write, errors.status, errors.timeout,
      latency:percentile(50), latency:percentile(99), latency.max))
end
