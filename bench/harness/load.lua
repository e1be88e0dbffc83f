-- wrk's script: as many requests at once as its argument says, and a summary that a program can read.

-- Of a GET replaces wrk's own request, so that it stays a constant: a function named `request` would be called for
-- each one, and the load would cost more than it must. Each POST brings a user with an e-mail address of its own.
local init = wrk.init
function wrk.init(args)
   init(args)
   local pipeline, run, number = tonumber(args[1]), args[3], 0
   if args[2] == "POST" then
      local function row()
         number = number + 1
         local body = string.format('{"name":"Ada Lovelace","email":"ada%s.%d@example.com"}', run, number)
         return wrk.format("POST", nil, { ["Content-Type"] = "application/json", ["Host"] = wrk.headers["Host"] }, body)
      end
      wrk.request = function()
         local batch = {}
         for index = 1, pipeline do batch[index] = row() end
         return table.concat(batch)
      end
      -- wrk asks whether there is such a function before it calls one for each request.
      request = wrk.request
   else
      local batch = string.rep(wrk.request(), pipeline)
      wrk.request = function() return batch end
   end
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
