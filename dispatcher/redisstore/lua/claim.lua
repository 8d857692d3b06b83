-- Decides whether tasks may be attempted now, and takes their slots: of any number of endpoints, one after the other.
--
-- KEYS  of each endpoint 1 to 5, as endpoint.lua has them
-- ARGV  7 maxAge, ms  8 and on, of each endpoint: prefix of its records' keys, queue of a new run, member of due, the
--       revision that the caller knows, how many tasks, and of each: event, run, how often the queue gave the task out again by itself
-- Answer: of each endpoint {revision, disabled, settings (both '' when the revision is the known one), of each task one of:
--         {'stale'}: another run, or no longer open
--         {'early', due ms}: a retry that its worker's end brought back before its time
--         {'parked', wake-up}: a gate is closed, the delivery is back in its line
--         {'newer'}: another version's record
--         {'cancelled'}, {'expired'}, {'overdue'}: to be recorded as such
--         {'go', attempts so far, ms when maxAge began; and where there is any of it: blocked in a row, panics in a row, ms to
--         wait for its turn, '1' a probe of the breaker, '1' slow or failing, why it is sent once more, ms when the record was
--         last written, span of the last attempt that had one}
--         {'failed', why}: something of another kind stands at one of its keys; also alone, of all tasks of an endpoint}
-- Cost: O(log n) of the endpoint's sets, times the tasks.
local AGE = tonumber(ARGV[7])
local function claim(ep, event, run, given, held)
  local key = record(event)
  local r = redis.call('HMGET', key, 'run', 'st', 'pub', 'exp', 'n', 'bl', 'af', 'pn', 'tr', 'bq', 'v', 'up', 'sp')
  if newer(r[11]) then return {'newer'} end
  if r[1] ~= run or r[2] then return {'stale'} end

  local from, due = OUT, nil
  if not held then
    from, due = RETRY, redis.call('ZSCORE', RETRY, event)
    if not due then return {'stale'} end
  end

  local overdue = tonumber(r[3]) + AGE
  local expires = tonumber(r[4] or overdue)
  local shut = closed(ep, math.min(overdue, expires), from == OUT)
  if shut == 'gone' then return {'cancelled'} end
  if shut == 'expired' then return {now >= expires and r[4] and 'expired' or 'overdue'} end
  if due and tonumber(given) > tonumber(r[7] or 0) and tonumber(due) > now + 1000 then
    redis.call('HSET', key, 'af', given) -- once for each: the next is somebody's wish
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
    ep.out = nil
  end
  local troubled = ep.slow or ep.failures > 0 or ep.opened > 0
  local go = {'go', r[5] or '0', r[3]}
  if r[6] or r[8] or r[9] or r[12] or r[13] or troubled or wait > 0 then
    go[4], go[5], go[6] = r[6] or '', r[8] or '', ms(wait)
    go[7], go[8] = ep.opened > 0 and '1' or '', troubled and '1' or ''
    go[9], go[10], go[11] = r[9] or '', r[12] or '', r[13] or ''
  end
  return go
end

local function claims(a, tasks)
  local ep = endpoint()
  local answer, events = {ep.rev, '', ''}, {}
  if ep.rev ~= ARGV[a + 3] then
    local f = redis.call('HMGET', ENDPOINT, 'disabled', 'settings')
    answer[2], answer[3] = f[1] or '', f[2] or ''
  end
  for i = 1, tasks do events[i] = ARGV[a + 2 + 3 * i] end
  local held = redis.call('ZMSCORE', OUT, unpack(events))
  for i = 1, tasks do
    local at = a + 2 + 3 * i
    local one, failed = attempt(claim, ep, ARGV[at], ARGV[at + 1], ARGV[at + 2], held[i])
    answer[#answer + 1] = one or failed
  end
  return answer
end

drains() -- the first write of many may take room
local answers, a = {}, 8
for k = 0, #KEYS - 5, 5 do
  face(k, a)
  local tasks = tonumber(ARGV[a + 4])
  local answer, failed = attempt(claims, a, tasks)
  answers[#answers + 1] = answer or failed
  a = a + 5 + 3 * tasks
end
return answers
