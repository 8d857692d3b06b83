-- Decides whether a task may be attempted now, and takes its slot.
--
-- ARGV  7 event  8 run  9 maxAge, ms  10 revision of the endpoint that the caller knows
--       11 how often the queue gave the task out again by itself
-- Answer: {'stale'}: another run, or no longer open
--         {'early', due ms}: a retry that its worker's end brought back before its time
--         {'parked', wake-up}: a gate is closed, the delivery is back in its line
--         {'newer'}: another version's record
--         {'cancelled'}, {'expired'}, {'overdue'}: to be recorded as such
--         {'go', attempts so far, blocked in a row, revision, panics in a row, ms to wait for its turn,
--         '1' a probe of the breaker, '1' slow or failing, why it is sent once more ('' it is not), ms when maxAge began
--         [, disabled, settings]}: settings only when the revision is not the known one
-- Cost: O(log n) of the endpoint's sets.
local event = ARGV[7]
local key = record(event)
local r = redis.call('HMGET', key, 'run', 'st', 'pub', 'exp', 'n', 'bl', 'af', 'pn', 'tr', 'bq', 'v')
if newer(r[11]) then return {'newer'} end
if r[1] ~= ARGV[8] or r[2] then return {'stale'} end

local from, due = OUT, nil
if not redis.call('ZSCORE', OUT, event) then
  from, due = RETRY, redis.call('ZSCORE', RETRY, event)
  if not due then return {'stale'} end
end

local ep = endpoint()
local overdue = tonumber(r[3]) + tonumber(ARGV[9])
local expires = tonumber(r[4] or overdue)
local shut = closed(ep, math.min(overdue, expires), from == OUT)
if shut == 'gone' then return {'cancelled'} end
if shut == 'expired' then return {now >= expires and r[4] and 'expired' or 'overdue'} end
if due and tonumber(ARGV[11]) > tonumber(r[7] or 0) and tonumber(due) > now + 1000 then
  redis.call('HSET', key, 'af', ARGV[11]) -- once for each: the next is somebody's wish
  return {'early', string.format('%.0f', tonumber(due))}
end
local wait = not shut and spend(ep, AHEAD)
if not wait then
  redis.call('ZREM', from, event)
  ep.out = nil
  stand(event, r[3], r[10])
  return {'parked', wakeup(ep)}
end
if from == RETRY then
  redis.call('ZREM', RETRY, event)
  redis.call('ZADD', OUT, now, event)
end
local troubled = ep.slow or ep.failures > 0 or ep.opened > 0
local answer = {'go', r[5] or '0', r[6] or '0', ep.rev, r[8] or '0', ms(wait), ep.opened > 0 and '1' or '', troubled and '1' or '',
  r[9] or '', r[3]}
if ep.rev ~= ARGV[10] then
  local f = redis.call('HMGET', ENDPOINT, 'disabled', 'settings')
  answer[11], answer[12] = f[1] or '', f[2] or ''
end
return answer
