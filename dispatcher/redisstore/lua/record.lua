-- Saves an attempt and the delivery's new state, and releases what may run.
--
-- KEYS  6 attempts (stream)   7 dead letters (sorted set)
-- ARGV  7 event  8 run ('0': the one in the line or waiting for a retry)
--       9 attempt id ('' none was made)  10 attempt, packed  11 new state  12 reason of death
--       13 next attempt, ms  14 '1' if the attempt counts  15 blocked in a row
--       16 reason to disable the endpoint ('' none)  17 lifetime of a settled record, ms
--       18 attempts older than this go, ms  19 lifetime of the attempts, ms
--       20 dead letters older than this go, ms  21 lifetime of the dead letters, ms
--       22 revision of the endpoint that the attempt was made to ('' any): another one is not disabled for it
-- Answer: the runs released {{event, run, queue}, …}; the same again for a known attempt id.
-- Cost: O(log n) of the endpoint's sets, and one record, times the runs released.
local event, run, attempt, state = ARGV[7], ARGV[8], ARGV[9], ARGV[11]
local key = record(event)
local r = redis.call('HMGET', key, 'run', 'st', 'bl', 'last', 'up', 'k', 'prev')

-- again answers what was released when this attempt was recorded first: it went
-- out in that millisecond. Others may have; to enqueue a run twice is harmless.
local function again(at)
  local runs = {}
  for _, other in ipairs(at and redis.call('ZRANGEBYSCORE', OUT, at, at) or {}) do
    local o = redis.call('HMGET', record(other), 'run', 'q')
    if o[1] then runs[#runs + 1] = {other, o[1], o[2]} end
  end
  return runs
end
if attempt ~= '' and r[4] == attempt then return again(r[5]) end
if attempt ~= '' and r[7] == attempt then return {} end -- two workers may hold the same run

-- keep adds the attempt to the endpoint's stream and remembers where.
local function keep()
  local id = redis.call('XADD', KEYS[6], 'MINID', '~', ARGV[18], '*', 'a', ARGV[10])
  redis.call('PEXPIRE', KEYS[6], ARGV[19])
  local kept = tonumber(r[6] or 0) + 1
  redis.call('HSET', key, 'v', '1', 'k', kept, 'a' .. kept % 100, id, 'last', attempt)
  if r[4] then redis.call('HSET', key, 'prev', r[4]) end
end

-- leave takes the delivery out of the set it is in; answers whether it was in one.
local function leave(sets)
  local left = 0
  for _, set in ipairs(sets) do left = left + redis.call('ZREM', set, event) end
  return left > 0
end

local sets = {}
if run == '0' then sets = r[1] and {LINE, RETRY} or {LINE, RETRY, OUT} -- no record: it ended by itself
elseif state == 'delivered' then sets = {OUT, RETRY, LINE}
elseif r[1] == run then sets = {OUT, RETRY} end
local open = not r[2] and leave(sets)
if attempt ~= '' then keep() end

if open then
  if ARGV[14] == '1' then redis.call('HINCRBY', key, 'n', 1) end
  redis.call('HSET', key, 'v', '1', 'up', now)
  if ARGV[15] ~= (r[3] or '0') then redis.call('HSET', key, 'bl', ARGV[15]) end
  if state == 'retrying' then
    redis.call('ZADD', RETRY, ARGV[13], event)
    redis.call('PEXPIRE', key, ARGV[4])
  else
    redis.call('HSET', key, 'st', state)
    redis.call('HDEL', key, 'q', 'pub', 'exp')
    redis.call('PEXPIRE', key, ARGV[17])
  end
  if state == 'dead' then
    redis.call('HSET', key, 'dr', ARGV[12])
    redis.call('ZADD', KEYS[7], now, event)
    redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', '(' .. ARGV[20])
    redis.call('PEXPIRE', KEYS[7], ARGV[21])
  end
else
  if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, ARGV[17]) end
  return {}
end

local ep = endpoint()
if ARGV[16] ~= '' and not ep.gone and not ep.disabled and (ARGV[22] == '' or ARGV[22] == ep.rev) then
  redis.call('HSET', ENDPOINT, 'disabled', ARGV[16], 'disabledAt', now)
  raise(ep)
  ep = endpoint()
end
return release(ep)
