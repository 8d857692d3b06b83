-- Looks at one endpoint for the reconciler, and releases what may run.
--
-- ARGV  7 maxAge, ms  8 how long a task may be unseen, ms  9 how many to answer of each kind
-- Answer: {{runs released, wake-up}, suspects {{event, run, queue}, …}, cancelled {event, …}, overdue {event, …},
--         expired {event, …}, 1 if the endpoint was deleted: what it has in its line or waiting for a
--         retry is for cancel.lua, and not answered}
-- Cost: O(log n + answered) of the endpoint's sets.
drains()
local most = tonumber(ARGV[9])
local cancelled, overdue, expired, suspects = {}, {}, {}, {}
local ep = endpoint()
if not ep.gone then
  local old = now - tonumber(ARGV[7])
  for _, span in ipairs({{'-inf', old}, {ms(REPLAY), ms(REPLAY + old)}}) do
    for _, event in ipairs(redis.call('ZRANGEBYSCORE', LINE, span[1], span[2], 'LIMIT', 0, most)) do
      local r = redis.call('HMGET', record(event), 'exp', 'v')
      local doomed = r[1] and now >= tonumber(r[1]) and expired or overdue
      if not newer(r[2]) then doomed[#doomed + 1] = event end
    end
  end
end
local runs = {}
-- What a process parked is left to its wake-up, if that comes soon.
if #overdue + #expired == 0 and (ep.woken <= now or ep.woken > now + 2000) then runs = release(ep) end

local unseen = now - tonumber(ARGV[8])
for _, set in ipairs(ep.gone and {OUT} or {OUT, RETRY}) do
  for _, event in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', unseen, 'LIMIT', 0, most)) do
    local r = redis.call('HMGET', record(event), 'run', 'q', 'v')
    if newer(r[3]) then -- is left alone
    elseif r[1] then
      suspects[#suspects + 1] = {event, r[1], r[2] or ARGV[3]}
    else -- its record, which lives longer than maxAge, ended by itself
      local doomed = ep.gone and cancelled or overdue
      doomed[#doomed + 1] = event
    end
  end
end

-- again answers when there is something to see: soon while there are tasks, else when a gate opens or a retry is due.
local function again()
  if #overdue + #expired >= most then return now end -- there may be more of them
  if ep.gone or redis.call('ZCARD', OUT) > 0 then return now + 5000 end
  local at = now + 60000
  local name, opens = gate(ep)
  if not name and redis.call('EXISTS', LINE) == 1 then at = now + 5000 end
  if opens then at = math.min(at, opens + LATE) end
  local due = redis.call('ZRANGE', RETRY, 0, 0, 'WITHSCORES')
  if due[2] then at = math.min(at, tonumber(due[2]) + tonumber(ARGV[8])) end
  return math.max(at, now + 5000)
end

if ep.woken > 0 and ep.woken <= now then
  redis.call('HDEL', ENDPOINT, 'wk')
  ep.woken = 0
end
local wake = wakeup(ep)
if redis.call('EXISTS', LINE, OUT, RETRY) == 0 then
  redis.call('ZREM', DUE, ARGV[6])
else
  redis.call('ZADD', DUE, ms(again()), ARGV[6])
end
return {{runs, wake}, suspects, cancelled, overdue, expired, ep.gone and 1 or 0}
