-- Shared beginning of every script on the tag of one endpoint.
--
-- KEYS  1 endpoint (hash)   2 line   3 out   4 retry (sorted sets, member: event id)
--       5 due (sorted set, member: brand:endpoint)
-- ARGV  1 now, ms           2 prefix of the delivery records' keys
--       3 queue of a new run    4 lifetime of an open delivery's record, ms
--       5 limit of deliveries in flight when the endpoint sets none
--       6 member of due
local now, limit = tonumber(ARGV[1]), tonumber(ARGV[5])
local ENDPOINT, LINE, OUT, RETRY, DUE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

-- endpoint answers what the gates need to know; gone: deleted, or never there.
local function endpoint()
  local f = redis.call('HMGET', ENDPOINT, 'rev', 'disabled', 'deleted', 'limit')
  local own = tonumber(f[4] or 0)
  return {
    rev = f[1] or '', gone = not f[1] or f[3] == '1',
    disabled = f[2] and f[2] ~= '', limit = own > 0 and own or limit,
  }
end

-- raise gives the endpoint a revision that none had before, even one that Redis
-- lost with its last writes: workers may still hold what stood under it.
local function raise(ep)
  redis.call('HSET', ENDPOINT, 'rev', string.format('%.0f', math.max(tonumber(ep.rev) + 1, now)))
end

local function free(ep)
  return ep.limit - redis.call('ZCARD', OUT)
end

-- closed answers the first closed gate, or false. ends: when the delivery
-- expires, ms; held: whether it has its slot already. New gates go here, in the
-- order: gone, disabled, expired, Retry-After, breaker, slot, rate.
local function closed(ep, ends, held)
  if ep.gone then return 'gone' end
  if ep.disabled then return 'disabled' end
  if ends and now >= ends then return 'expired' end
  if not held and free(ep) <= 0 then return 'slot' end
  return false
end

-- record answers the key of a delivery's record. Its fields have short names, there
-- is one for every delivery: v format  run  q queue  pub published, ms  exp expires, ms
-- n attempts that count  bl blocked in a row  up updated, ms  st final state
-- dr reason of death  af failures of the task seen  last, prev attempt ids  k attempts kept  a0 … a99 where they are kept
local function record(event)
  return ARGV[2] .. event
end

-- start gives a delivery a slot and a new run; answers event, run, queue.
local function start(event, published)
  local key = record(event)
  local run = redis.call('HINCRBY', key, 'run', 1)
  redis.call('HSET', key, 'v', '1', 'pub', published, 'q', ARGV[3])
  redis.call('PEXPIRE', key, ARGV[4])
  redis.call('ZADD', OUT, now, event)
  return {event, tostring(run), ARGV[3]}
end

-- release fills the free slots from the head of the line; answers the runs.
local function release(ep)
  local runs = {}
  if closed(ep) then return runs end
  local popped = redis.call('ZPOPMIN', LINE, free(ep))
  for i = 1, #popped, 2 do
    runs[#runs + 1] = start(popped[i], string.format('%.0f', tonumber(popped[i + 1])))
  end
  return runs
end
