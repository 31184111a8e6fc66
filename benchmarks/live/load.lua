-- Asks for lists, and tells events in between, for users drawn at random.
-- Arguments: mode ("recommend" or "events"), a file of user ids, a file of item ids, one event in so many requests, a
-- seed, whether reasons are asked for, the order of lists.
local mode, users, items, every, explain, order, asked = nil, {}, {}, 10, "false", "model", 0

local function lines(path)
  local found = {}
  for line in io.lines(path) do found[#found + 1] = line end
  return found
end

function init(args)
  mode, users, items, every = args[1], lines(args[2]), lines(args[3]), tonumber(args[4] or "10")
  math.randomseed(tonumber(args[5] or "1"))
  explain, order = args[6] or "false", args[7] or "model"
end

local function event()
  return string.format('{"user_id":"%s","item_id":"%s","kind":"view","event_id":"%d-%d"}',
    users[math.random(#users)], items[math.random(#items)], math.random(2 ^ 50), math.random(2 ^ 50))
end

function request()
  if mode == "events" then
    local rows = {}
    for row = 1, 100 do rows[row] = event() end
    return wrk.format("POST", "/v1/events", nil, '{"events":[' .. table.concat(rows, ",") .. ']}')
  end
  asked = asked + 1
  if every > 0 and asked % every == 0 then
    return wrk.format("POST", "/v1/events", nil, '{"events":[' .. event() .. ']}')
  end
  return wrk.format("POST", "/v1/recommend", nil, '{"user_id":"' .. users[math.random(#users)] .. '","k":20,"explain":' .. explain .. ',"order":"' .. order .. '"}')
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'figures {"requests": %d, "seconds": %.3f, "p50_ms": %.3f, "p90_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(90) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
