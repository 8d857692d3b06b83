-- Shared beginning of every script on the tag of one endpoint.
--
-- KEYS  1 endpoint (hash)   2 line   3 out   4 retry (sorted sets, member: event id)
--       5 due (sorted set, member: brand:endpoint)
-- ARGV  1 now, ms           2 prefix of the delivery records' keys
--       3 queue of a new run    4 lifetime of an open delivery's record, ms
--       5 limit of deliveries in flight when the endpoint sets none
--       6 member of due
-- Scripts that work on several endpoints leave 2, 3 and 6 empty, and turn to each.
local now, limit = tonumber(ARGV[1]), tonumber(ARGV[5])
local ENDPOINT, LINE, OUT, RETRY, DUE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local RECORDS, QUEUE, MEMBER = ARGV[2], ARGV[3], ARGV[6]

-- face turns to the endpoint whose keys stand after the k-th, and whose prefix, queue and member are the a-th argument and on.
local function face(k, a)
  ENDPOINT, LINE, OUT, RETRY, DUE = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 4], KEYS[k + 5]
  RECORDS, QUEUE, MEMBER = ARGV[a], ARGV[a + 1], ARGV[a + 2]
end

-- attempt calls a function whose error is nobody's but that of what it is about; answers what it answers, or nil and {'failed', why}.
local function attempt(f, ...)
  local ok, first, second = pcall(f, ...)
  if ok then return first, second end
  return nil, {'failed', type(first) == 'table' and first.err or tostring(first)}
end

-- BEGIN is the limit that an endpoint begins with. AHEAD is how long before its time a delivery may be claimed under a rate
-- limit, ms. LATE is how long a wake-up may be late before the reconciler does its work, ms.
local BEGIN, AHEAD, LATE = 4, 100, 3000

-- REPLAY is added to the place in the line of what is sent once more in bulk: it waits behind everything else.
local REPLAY = 1e15

-- drains is for scripts whose first writes take room: after one that takes none, a full Redis lets them pass.
local function drains() redis.call('ZREM', DUE, '') end

local function ms(t) return string.format('%.0f', t) end

-- endpoint answers what the gates need to know, and other fields that are asked for; gone: deleted, or never there. The fields of the hash beside its settings:
-- ra Retry-After until, ms  bf failures in a row  bn times the breaker opened (0 closed)  bo open until, ms  al adapted limit
-- tat when the rate limit's next token is due, ms  rate tokens a second  burst  sl '1' slow  wk when it is woken, ms
-- ff first failure, ms, since which nothing succeeded  fn failures since then  bh the breaker's last changes, the newest
-- first: 'o' opened or 'c' closed, ms, and a space
-- What is looked up later is kept beside it: out how many are in flight, tail the score of the line's last, false without.
local function endpoint(...)
  local f = redis.call('HMGET', ENDPOINT, 'rev', 'disabled', 'deleted', 'limit', 'ra', 'bf', 'bn', 'bo', 'al', 'tat', 'rate', 'burst', 'sl', 'wk', 'ff', ...)
  local own, rate = tonumber(f[4] or 0), tonumber(f[11] or 0)
  local most, opened = own > 0 and own or limit, tonumber(f[7] or 0)
  return {
    rev = f[1] or '', gone = not f[1] or f[3] == '1', disabled = f[2] and f[2] ~= '',
    most = most, limit = opened > 0 and 1 or math.min(most, tonumber(f[9] or BEGIN)),
    pause = tonumber(f[5] or 0), failures = tonumber(f[6] or 0), opened = opened, opens = tonumber(f[8] or 0),
    tat = tonumber(f[10] or 0), step = rate > 0 and 1000 / rate, burst = tonumber(f[12] or 1),
    slow = f[13] == '1', woken = tonumber(f[14] or 0), failing = tonumber(f[15] or 0),
  }, f[16], f[17], f[18], f[19]
end

-- raise gives the endpoint a revision that none had before, even one that Redis
-- lost with its last writes: workers may still hold what stood under it.
local function raise(ep)
  redis.call('HSET', ENDPOINT, 'rev', ms(math.max(tonumber(ep.rev) + 1, now)))
end

local function free(ep)
  ep.out = ep.out or redis.call('ZCARD', OUT)
  return ep.limit - ep.out
end

local function tail(ep)
  if ep.tail == nil then ep.tail = tonumber(redis.call('ZRANGE', LINE, -1, -1, 'WITHSCORES')[2]) or false end
  return ep.tail
end

-- closed answers the first closed gate and, where that is known, when it opens, ms; or false. ends: when the delivery
-- expires, ms; held: whether it has its slot already. The order: gone, disabled, expired, Retry-After, breaker, slot; the
-- rate is the last, of a claim and of a release.
local function closed(ep, ends, held)
  if ep.gone then return 'gone' end
  if ep.disabled then return 'disabled' end
  if ends and now >= ends then return 'expired' end
  if now < ep.pause and ep.pause >= ep.opens then return 'retryAfter', ep.pause end -- of two, the one that opens last
  if ep.opened > 0 and now < ep.opens then return 'breaker', ep.opens end
  if now < ep.pause then return 'retryAfter', ep.pause end
  -- What is held at a half-open breaker leaves until one is left.
  if (not held or ep.opened > 0) and free(ep) + (held and 1 or 0) <= 0 then return 'slot' end
  return false
end

-- turn answers when the next delivery may go under the rate limit, ms (GCRA: tat runs one step ahead for each token taken).
local function turn(ep)
  return math.max(ep.tat, now) - (ep.burst - 1) * ep.step
end

-- spend takes a token and answers how long to wait for its time, ms; or nil, and its time, when that is more than most.
local function spend(ep, most)
  if not ep.step then return 0 end
  local at = turn(ep)
  if at > now + most then return nil, at end
  ep.tat = math.max(ep.tat, now) + ep.step
  redis.call('HSET', ENDPOINT, 'tat', string.format('%.3f', ep.tat))
  return math.max(0, at - now)
end

-- record answers the key of a delivery's record. Its fields have short names, there
-- is one for every delivery: v format  run  q queue  pub published, ms  exp expires, ms
-- n attempts that count  bl blocked in a row  pn panics in a row  up updated, ms  st final state
-- dr reason of death  af failures of the task seen  sp span of the last attempt that had one  last, prev attempt ids  k attempts kept  a0 … a99 where they are kept
-- Of one that was sent once more: tr why  j the job whose account it is on  bq its queue of the bulk lane ('' none). pub is
-- when it was sent once more.
local function record(event)
  return RECORDS .. event
end

-- newer tells of a record's field v whether another version wrote it, which has it to itself. A version that only adds fields
-- leaves v as it is.
local function newer(v)
  return v and v ~= '1'
end

-- beside answers the key of what the endpoint has under another letter than its records: 'c' the accounts of jobs, followed
-- by a colon and the job's id; 'm' the last hour.
local function beside(letter)
  return (string.gsub(string.sub(RECORDS, 1, -2), ':d:', ':' .. letter .. ':', 1))
end

-- stand puts a delivery in the line.
local function stand(event, published, replayed)
  redis.call('ZADD', LINE, ms(tonumber(published) + (replayed and REPLAY or 0)), event)
end

-- settle ends a delivery in its final state, for as long as that is kept, and on the account of the job that sent it. Who has
-- read the record gives the job, false for none, and what else is to stand there: name, value, …. What only an open delivery has
-- need of (q, pub, exp, tr, bq) stays, and means nothing any more: to delete it takes more than it does.
local function settle(event, state, lifetime, job, more)
  local key, set = record(event), more or {}
  if job == nil then job = redis.call('HGET', key, 'j') end
  redis.call('HSET', key, 'v', '1', 'st', state, 'up', ARGV[1], unpack(set))
  redis.call('PEXPIRE', key, lifetime)
  if not job then return end
  local account = beside('c') .. ':' .. job
  if redis.call('EXISTS', account) == 1 then redis.call('HINCRBY', account, state, 1) end -- else it ended, and would have no end
end

-- start gives deliveries, {event, published, ms, …}, a slot each and a new run; answers {event, run, queue} of each. fresh: none
-- of them has had one before.
local function start(ep, deliveries, fresh)
  local runs = {}
  for first = 1, #deliveries, 200 do
    local keys, out = {}, {}
    for i = first, math.min(first + 199, #deliveries), 2 do
      keys[#keys + 1] = record(deliveries[i])
      out[#out + 1], out[#out + 2] = ARGV[1], deliveries[i]
    end
    local known = not fresh and redis.call('EXISTS', unpack(keys)) > 0
    for i, key in ipairs(keys) do
      local event, published = out[2 * i], deliveries[first + 2 * i - 1]
      local r = known and redis.call('HMGET', key, 'run', 'bq') or {}
      local run, queue = r[1] and ms(r[1] + 1) or '1', r[2] or QUEUE
      if r[1] then redis.call('HDEL', key, 'af') end -- the new task has not failed yet
      if tonumber(published) >= REPLAY then published = ms(published % REPLAY) end
      redis.call('HSET', key, 'run', run, 'v', '1', 'pub', published, 'q', queue)
      redis.call('PEXPIRE', key, ARGV[4])
      runs[#runs + 1] = {event, run, queue}
    end
    redis.call('ZADD', OUT, unpack(out))
  end
  ep.out = ep.out and ep.out + #runs
  return runs
end

-- replays tells whether the line has nothing but what is sent once more in bulk; nil when it is empty.
local function replays(ep)
  if not tail(ep) then return end
  return tail(ep) >= REPLAY and tonumber(redis.call('ZRANGE', LINE, 0, 0, 'WITHSCORES')[2]) >= REPLAY
end

-- release fills the free slots from the head of the line, under a rate limit with no more than may go; answers the runs.
-- What is sent once more in bulk leaves half of the slots to what comes in.
-- The probes of a half-open breaker are the oldest and the newest in turn: one event that always fails is not to keep the
-- others waiting.
local function release(ep)
  if closed(ep) or not tail(ep) then return {} end
  local slots = free(ep)
  local room = slots
  if ep.step then
    room = math.min(room, math.floor((now + AHEAD - turn(ep)) / ep.step) + 1)
    if room <= 0 then return {} end
  end
  if tail(ep) >= REPLAY then
    local others = math.min(room, redis.call('ZCOUNT', LINE, '-inf', '(' .. ms(REPLAY)))
    room = math.max(others, math.min(room, slots - math.floor(ep.limit / 2)))
    if room <= 0 then return {} end
  end
  ep.tail = nil
  return start(ep, redis.call(ep.opened > 0 and ep.opened % 2 == 0 and 'ZPOPMAX' or 'ZPOPMIN', LINE, room))
end

-- gate answers what holds the line back, and until when, ms, where it opens by itself.
local function gate(ep)
  local name, at = closed(ep)
  if not name and ep.step then
    local turns = turn(ep) - AHEAD
    if turns > now then return 'rateLimit', math.max(turns, now + AHEAD / 2) end
  end
  return name, at
end

-- wakeup answers {gate, when ms, how many wait} if the line is to be looked at by a clock, because nothing in flight will
-- release it by then; nothing if that was arranged before.
local function wakeup(ep)
  local name, at = gate(ep)
  at = at and math.ceil(at)
  if not at or (ep.woken > now and ep.woken <= at) then return {} end
  local waiting = redis.call('ZCARD', LINE)
  if waiting == 0 then return {} end
  redis.call('HSET', ENDPOINT, 'wk', ms(at))
  redis.call('ZADD', DUE, 'LT', at + LATE, MEMBER)
  ep.woken = at
  return {name, ms(at), waiting}
end
