-- Saves an attempt and the delivery's new state, and releases what may run.
--
-- KEYS  6 attempts (stream)   7 dead letters (sorted set)   8 their answers (stream)
-- ARGV  7 event  8 run ('0': the one in the line or waiting for a retry)
--       9 attempt id ('' none was made)  10 attempt, packed  11 new state  12 reason of death
--       13 next attempt, ms  14 '1' if the attempt counts  15 blocked in a row
--       16 reason to disable the endpoint ('' none)  17 lifetime of a settled record, ms
--       18 attempts older than this go, ms  19 lifetime of the attempts, ms
--       20 dead letters older than this go, ms  21 lifetime of the dead letters, ms
--       22 revision of the endpoint that the attempt was made to ('' any): another one is not disabled for it
--       23 panics in a row  24 signal of the attempt: good, bad, busy or ''  25 its beginning, ms  26 its duration, ms
--       27 the receiver asks for a pause until, ms (0 not)  28 failures that open the breaker  29 first rest, ms
--       30 longest rest, ms  31 nothing but failures for so long disables the endpoint, ms (0 never)  32 what the
--       attempt brought, to be kept if it disables the endpoint  33 the answer, packed ('' nothing is kept of it)
--       34 maxAge, ms
-- Answer: {runs released {{event, run, queue}, …}, wake-up, 'open' or 'closed' if the breaker changed, reason if the endpoint
--         was disabled}; the same runs again for a known attempt id.
-- Cost: O(log n) of the endpoint's sets, and one record, times the runs released.
local event, run, attempt, state = ARGV[7], ARGV[8], ARGV[9], ARGV[11]
local key = record(event)
local r = redis.call('HMGET', key, 'run', 'st', 'bl', 'last', 'up', 'k', 'prev', 'pn', 'pub', 'exp', 'n', 'j')
local set = {} -- of the record: name, value, …
local function put(name, value)
  set[#set + 1], set[#set + 2] = name, tostring(value)
end

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
if attempt ~= '' and r[4] == attempt then return {again(r[5]), {}, '', ''} end
if attempt ~= '' and r[7] == attempt then return {{}, {}, '', ''} end -- two workers may hold the same run

-- keep adds the attempt to the endpoint's stream and remembers where.
local function keep()
  local id = redis.call('XADD', KEYS[6], 'MINID', '~', ARGV[18], '*', 'a', ARGV[10])
  redis.call('PEXPIRE', KEYS[6], ARGV[19])
  if ARGV[33] ~= '' then -- an answer is not worth an attempt: pcall
    redis.pcall('XADD', KEYS[8], 'MINID', '~', ARGV[18], id, 'h', ARGV[33])
    redis.call('PEXPIRE', KEYS[8], ARGV[19])
  end
  local kept = tonumber(r[6] or 0) + 1
  put('k', kept)
  put('a' .. kept % 100, id)
  put('last', attempt)
  if r[4] then put('prev', r[4]) end
end

-- leave takes the delivery out of the set it is in; answers whether it was in one.
local function leave(sets)
  for _, name in ipairs(sets) do
    if redis.call('ZREM', name, event) == 1 then return true end
  end
  return false
end

-- AT_ONCE is the part of the limit that is released together, so that those runs go to the queue together too. A small limit,
-- and one under a rate limit or a breaker, leaves nothing waiting.
local AT_ONCE = 8

-- adapt moves the limit. A round is as many answers as the limit: one that was held back by the limit doubles it, a failure
-- halves it, and so does a round that took more than SLOW and more than twice what the best one took: then it is us who
-- make it slow. An endpoint that is always slow keeps what it can take. What began before the limit was halved does not halve
-- it again. Fields: rn answers and rd their time in this round, rk when the limit was halved, lb the best round's mean.
local SLOW = 1000
local function adapt(ep, round, signal, began, took, put)
  local best = tonumber(round.best)
  local well = signal == 'good' and took <= SLOW and not ep.slow
  -- It has all it may have. A round that something slow began is counted to its end, so that the quick ones are in its mean.
  if well and ep.limit >= ep.most and best and best <= SLOW and tonumber(round.answers or 0) == 0 then return end
  local waiting = replays(ep) -- of which no more than half of the limit is in flight
  local held = waiting ~= nil and ep.limit - free(ep) + math.max(1, ep.limit / AT_ONCE) >= (waiting and math.ceil(ep.limit / 2) or ep.limit)
  if well and not held then return end
  local answers, time, halved = tonumber(round.answers or 0) + 1, tonumber(round.time or 0) + took, tonumber(round.halved or 0)
  local al = ep.limit
  if signal ~= 'good' then
    if began >= halved then
      al, answers, time = math.max(1, math.floor(al / 2)), 0, 0
      put('rk', ms(now))
    end
  elseif answers >= al then
    local mean = time / answers
    best = math.max(SLOW / 2, math.min(mean, (best or mean) * 1.25))
    local slow = mean > SLOW
    if slow and mean > 2 * best then
      al = math.max(math.min(BEGIN, al), math.floor(al / 2))
    elseif held then
      al = math.min(ep.most, al * 2)
    end
    put('lb', string.format('%.1f', best))
    put('sl', slow and '1' or '')
    answers, time = 0, 0
  end
  put('rn', answers)
  put('rd', ms(time))
  if ep.opened == 0 and al ~= ep.limit then
    put('al', al)
    ep.limit = al
  end
end

-- learn draws from the attempt what it says of its endpoint: the receiver's wish for a pause, failures in a row, and how
-- much it can take. Answers 'open' or 'closed' if the breaker changed. An endpoint without a line that is well costs nothing.
local function learn(ep, round)
  local signal, began, took, pause = ARGV[24], tonumber(ARGV[25]), tonumber(ARGV[26]), tonumber(ARGV[27])
  local set, changed = {}, ''
  local function put(name, value)
    set[#set + 1], set[#set + 2] = name, tostring(value)
  end
  if pause > ep.pause then
    put('ra', ms(pause))
    ep.pause = pause
  end
  if signal == 'good' and ep.opened > 0 and began >= ep.opens then
    changed = 'closed'
    for name, value in pairs({bf = 0, bn = 0, bo = 0, al = 1, rn = 0, rd = 0}) do put(name, value) end
  elseif signal == 'good' and ep.opened == 0 and ep.failures > 0 then
    put('bf', 0)
  elseif signal == 'bad' then
    local failures = ep.failures + 1
    put('bf', failures)
    -- What began before the breaker opened says nothing new.
    if ep.opened == 0 and failures >= tonumber(ARGV[28]) or ep.opened > 0 and began >= ep.opens then
      put('bn', ep.opened + 1)
      put('bo', ms(now + math.min(tonumber(ARGV[29]) * 2 ^ math.min(ep.opened, 30), tonumber(ARGV[30]))))
      changed = 'open'
    end
  end
  if changed ~= '' then
    local before = redis.call('HGET', ENDPOINT, 'bh') or ''
    put('bh', string.sub(string.sub(changed, 1, 1) .. ms(now) .. ' ' .. before, 1, 150))
  end
  if signal ~= '' and changed ~= 'closed' then adapt(ep, round, signal, began, took, put) end
  if #set > 0 then redis.call('HSET', ENDPOINT, unpack(set)) end
  return changed
end

-- count keeps what the attempts of five minutes came to, for an hour: which five minutes, attempts, delivered, ms they took
-- together, ms the longest took.
local function count()
  local hour, at, took = beside('m'), math.floor(now / 300000), tonumber(ARGV[26])
  local last, attempts, delivered, sum, longest = string.match(redis.call('HGET', hour, at % 12) or '', '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  local known = tonumber(last) == at
  if not known then attempts, delivered, sum, longest = 0, 0, 0, 0 end
  redis.call('HSET', hour, 'v', '1', at % 12, string.format('%.0f %.0f %.0f %.0f %.0f', at, attempts + 1,
    delivered + (state == 'delivered' and 1 or 0), sum + took, math.max(tonumber(longest), took)))
  if not known then redis.call('PEXPIRE', hour, 3900000) end
end

-- despair answers whether the endpoint is to be disabled: nothing but failures for long, and not just a few.
local function despair(ep)
  if state == 'delivered' then
    if ep.failing > 0 then redis.call('HDEL', ENDPOINT, 'ff', 'fn') end
    return false
  end
  if ARGV[14] ~= '1' or ARGV[31] == '0' then return false end
  if ep.failing == 0 then redis.call('HSET', ENDPOINT, 'ff', now) end
  return redis.call('HINCRBY', ENDPOINT, 'fn', 1) >= 20 and ep.failing > 0 and now - ep.failing >= tonumber(ARGV[31])
end

-- renewed tells whether a delivery that was found at its end, in the line or without its task, was sent once more since.
local function renewed()
  if state == 'expired' then return not r[10] or now < tonumber(r[10]) end
  local began = r[9] or redis.call('ZSCORE', LINE, event)
  return state == 'dead' and began and now < tonumber(began) % REPLAY + tonumber(ARGV[34])
end

local sets = {}
if run == '0' and renewed() then -- whoever looked has the last word no more
elseif run == '0' then sets = r[1] and {LINE, RETRY} or {LINE, RETRY, OUT} -- no record: it ended by itself
elseif state == 'delivered' then sets = {OUT, RETRY, LINE}
elseif r[1] == run then sets = {OUT, RETRY} end
local open = not r[2] and leave(sets)
if attempt ~= '' then
  keep()
  count()
end

if open then
  if ARGV[14] == '1' then put('n', tonumber(r[11] or 0) + 1) end
  if ARGV[15] ~= (r[3] or '0') then put('bl', ARGV[15]) end
  if ARGV[23] ~= (r[8] or '0') then put('pn', ARGV[23]) end
  if state == 'retrying' then
    redis.call('HSET', key, 'v', '1', 'up', now, unpack(set))
    redis.call('ZADD', RETRY, ARGV[13], event)
    redis.call('PEXPIRE', key, ARGV[4])
  else
    if state == 'dead' then put('dr', ARGV[12]) end
    settle(event, state, ARGV[17], r[12], set)
  end
  if state == 'dead' then
    redis.call('ZADD', KEYS[7], now, event)
    for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', '(' .. ARGV[20], 'LIMIT', 0, 10)) do
      redis.call('ZREM', KEYS[7], old) -- the rest is the janitor's
    end
    redis.call('PEXPIRE', KEYS[7], ARGV[21])
  end
else
  if #set > 0 then redis.call('HSET', key, 'v', '1', unpack(set)) end
  if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, ARGV[17]) end
end

local round = {}
local ep
ep, round.answers, round.time, round.halved, round.best = endpoint('rn', 'rd', 'rk', 'lb')
local breaker, disabled = '', ''
local current = not ep.gone and ARGV[22] == ep.rev
if current then breaker = learn(ep, round) end
if not ep.gone and not ep.disabled and (current or ARGV[22] == '') then
  disabled = ARGV[16]
  if disabled == '' and current and attempt ~= '' and despair(ep) then disabled = 'failing' end
end
if disabled ~= '' then
  redis.call('HSET', ENDPOINT, 'disabled', disabled, 'disabledAt', now, 'disabledBy', ARGV[32])
  redis.call('HDEL', ENDPOINT, 'ff', 'fn')
  raise(ep)
  breaker, ep = '', endpoint()
elseif breaker ~= '' then
  ep = endpoint()
end
if not open then return {{}, {}, breaker, disabled} end
local some = math.max(1, ep.limit / AT_ONCE)
local runs = (ep.step or ep.opened > 0 or free(ep) >= some) and release(ep) or {}
return {runs, wakeup(ep), breaker, disabled}
