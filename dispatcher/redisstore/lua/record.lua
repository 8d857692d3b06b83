-- Saves attempts and their deliveries' new states, and releases what may run then: of any number of endpoints, one after the other.
--
-- KEYS  of each endpoint 1 to 5, as endpoint.lua has them   6 attempts (stream)   7 dead letters (sorted set)
--       8 their answers (stream)
-- ARGV  7 lifetime of a settled record, ms  8 lifetime of a dead letter and its record, ms  9 dead letters older than this go, ms
--       10 attempts older than this go, ms  11 lifetime of the attempts, ms  12 failures that open the breaker
--       13 first rest, ms  14 longest rest, ms  15 nothing but failures for so long disables the endpoint, ms (0 never)
--       16 maxAge, ms  17 and on, of each endpoint: prefix of its records' keys, queue of a new run, member of due, how many
--       settlements, and of each
--       1 event  2 run ('0': the one in the line or waiting for a retry)  3 attempt id ('' none was made)  4 attempt, packed
--       5 new state  6 revision of the endpoint that the attempt was made to ('' any): another one is not disabled for it
--       7 signal of the attempt: good, bad, busy or ''  8 its beginning, ms  9 its duration, ms  10 '1' if it counts
--       11 '1' if there is more, else all of it is as a success has it: 12 reason of death  13 next attempt, ms
--       14 blocked in a row  15 panics in a row  16 the receiver asks for a pause until, ms (0 not)  17 reason to disable the
--       endpoint ('' none)  18 what the attempt brought, to be kept if it disables the endpoint
--       19 the answer, packed ('' nothing is kept of it)  20 span of the attempt ('' none)
-- Answer: of each endpoint {runs released {{event, run, queue}, …}, wake-up, {of each settlement that changed more than its
--         delivery: which, from 0, 'open' or 'closed' if the breaker changed, reason if the endpoint was disabled; or which, 'failed',
--         why: something of another kind stands at one of its keys, …}, which of them, from 0, was open first: it gets the runs};
--         the same runs again for a known attempt id. {'failed', why} is of all settlements of an endpoint.
-- Cost: O(log n) of the endpoint's sets, and one record, times settlements and runs released.
drains() -- the first of many may have nothing to take out

-- What is told of one settlement, as above. MORE is its own words where it has any, and those of a success.
local event, run, id, packed, state, revision, signal, began, took, counts
local death, next, blocked, panics, pause, disable, brought, kept, span
local function read(a)
  event, run, id, packed, state, revision = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5]
  signal, began, took, counts = ARGV[a + 6], tonumber(ARGV[a + 7]), tonumber(ARGV[a + 8]), ARGV[a + 9] == '1'
  if ARGV[a + 10] ~= '1' then
    death, next, blocked, panics, pause, disable, brought, kept, span = '', '', '0', '0', 0, '', '', '', ''
    return a + 11
  end
  death, next, blocked, panics, pause = ARGV[a + 11], ARGV[a + 12], ARGV[a + 13], ARGV[a + 14], tonumber(ARGV[a + 15])
  disable, brought, kept, span = ARGV[a + 16], ARGV[a + 17], ARGV[a + 18], ARGV[a + 19]
  return a + 20
end

-- The endpoint that the script has turned to: its keys beside those of endpoint.lua; what is to be written into its hash, name
-- and value; where a round stands; how many were in flight at first, as many answers come from a full limit although others
-- of them were recorded just before; which of its deliveries are in flight, which of them leave; whether old attempts went.
local ATTEMPTS, DEAD, ANSWERS
local ep, round, changes, flying, out, left, trimmed

local function put(name, value) changes[name] = tostring(value) end

-- write has what was put there stand in the endpoint's hash, and what left gone.
local function write()
  if #left > 0 then redis.call('ZREM', OUT, unpack(left)) end
  left = {}
  local all = {}
  for name, value in pairs(changes) do
    all[#all + 1], all[#all + 2] = name, value
  end
  if #all > 0 then redis.call('HSET', ENDPOINT, unpack(all)) end
  changes = {}
end

-- look reads the endpoint as it stands now.
local function look()
  write()
  round = {}
  ep, round.answers, round.time, round.halved, round.best = endpoint('rn', 'rd', 'rk', 'lb')
end

-- again answers what was released when this attempt was recorded first: it went
-- out in that millisecond. Others may have; to enqueue a run twice is harmless.
local asked
local function again(at, runs)
  if not at or asked[at] then return end
  asked[at] = true
  write() -- what left since is not out any more
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', OUT, at, at)) do
    local o = redis.call('HMGET', record(other), 'run', 'q')
    if o[1] and o[2] then runs[#runs + 1] = {other, o[1], o[2]} end
  end
end

-- keep adds the attempt to the endpoint's stream and says where in set.
local function keep(r, set)
  local place
  if trimmed then
    place = redis.call('XADD', ATTEMPTS, '*', 'a', packed)
  else
    place, trimmed = redis.call('XADD', ATTEMPTS, 'MINID', '~', ARGV[10], '*', 'a', packed), true
  end
  if kept ~= '' then -- an answer is not worth an attempt: pcall
    redis.pcall('XADD', ANSWERS, 'MINID', '~', ARGV[10], place, 'h', kept)
    redis.call('PEXPIRE', ANSWERS, ARGV[11])
  end
  local times, at = '1', 'a1'
  if r[6] then times, at = ms(r[6] + 1), 'a' .. (r[6] + 1) % 100 end
  set[1], set[2], set[3], set[4], set[5], set[6] = 'k', times, at, place, 'last', id
  if r[4] then set[7], set[8] = 'prev', r[4] end
  if span ~= '' then set[#set + 1], set[#set + 2] = 'sp', span end
end

-- leave takes the delivery out of the set it is in; answers whether it was in one.
local function leave(sets)
  for _, name in ipairs(sets) do
    if name == OUT and out[event] then
      out[event] = nil
      left[#left + 1] = event
      ep.out = ep.out and ep.out - 1
      return true
    end
    if name ~= OUT and redis.call('ZREM', name, event) == 1 then
      if name == LINE then ep.tail = nil end
      return true
    end
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
local function adapt()
  local best = tonumber(round.best)
  local well = signal == 'good' and took <= SLOW and not ep.slow
  -- It has all it may have. A round that something slow began is counted to its end, so that the quick ones are in its mean.
  if well and ep.limit >= ep.most and best and best <= SLOW and tonumber(round.answers or 0) == 0 then return end
  local waiting = replays(ep) -- of which no more than half of the limit is in flight
  local held = waiting ~= nil and flying + math.max(1, ep.limit / AT_ONCE) >= (waiting and math.ceil(ep.limit / 2) or ep.limit)
  if well and not held then return end
  local answers, time, halved = tonumber(round.answers or 0) + 1, tonumber(round.time or 0) + took, tonumber(round.halved or 0)
  local al = ep.limit
  if signal ~= 'good' then
    if began >= halved then
      al, answers, time = math.max(1, math.floor(al / 2)), 0, 0
      round.halved = now
      put('rk', ms(now))
    end
  elseif answers >= al then
    local mean = time / answers
    best = math.max(SLOW / 2, math.min(mean, (best or mean) * 1.25))
    ep.slow = mean > SLOW
    if ep.slow and mean > 2 * best then
      al = math.max(math.min(BEGIN, al), math.floor(al / 2))
    elseif held then
      al = math.min(ep.most, al * 2)
    end
    round.best = best
    put('lb', string.format('%.1f', best))
    put('sl', ep.slow and '1' or '')
    answers, time = 0, 0
  end
  round.answers, round.time = answers, time
  put('rn', answers)
  put('rd', ms(time))
  if ep.opened == 0 and al ~= ep.limit then
    put('al', al)
    ep.limit = al
  end
end

-- learn draws from the attempt what it says of its endpoint: the receiver's wish for a pause, failures in a row, and how
-- much it can take. Answers 'open' or 'closed' if the breaker changed. An endpoint without a line that is well costs nothing.
local function learn()
  local changed = ''
  if pause > ep.pause then
    put('ra', ms(pause))
    ep.pause = pause
  end
  if signal == 'good' and ep.opened > 0 and began >= ep.opens then
    changed = 'closed'
    for name, value in pairs({bf = 0, bn = 0, bo = 0, al = 1, rn = 0, rd = 0}) do put(name, value) end
  elseif signal == 'good' and ep.opened == 0 and ep.failures > 0 then
    ep.failures = 0
    put('bf', 0)
  elseif signal == 'bad' then
    ep.failures = ep.failures + 1
    put('bf', ep.failures)
    -- What began before the breaker opened says nothing new.
    if ep.opened == 0 and ep.failures >= tonumber(ARGV[12]) or ep.opened > 0 and began >= ep.opens then
      put('bn', ep.opened + 1)
      put('bo', ms(now + math.min(tonumber(ARGV[13]) * 2 ^ math.min(ep.opened, 30), tonumber(ARGV[14]))))
      changed = 'open'
    end
  end
  if changed ~= '' then
    local before = redis.call('HGET', ENDPOINT, 'bh') or ''
    put('bh', string.sub(string.sub(changed, 1, 1) .. ms(now) .. ' ' .. before, 1, 150))
  end
  if signal ~= '' and changed ~= 'closed' then adapt() end
  if changed ~= '' then look() end
  return changed
end

-- count keeps what the attempts of five minutes came to, for an hour: which five minutes, attempts, delivered, ms they took
-- together, ms the longest took.
local function count(made)
  local hour, at = beside('m'), math.floor(now / 300000)
  local last, attempts, delivered, sum, longest = string.match(redis.call('HGET', hour, at % 12) or '', '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  local known = tonumber(last) == at
  if not known then attempts, delivered, sum, longest = 0, 0, 0, 0 end
  redis.call('HSET', hour, 'v', '1', at % 12, string.format('%.0f %.0f %.0f %.0f %.0f', at, attempts + made.attempts,
    delivered + made.delivered, sum + made.time, math.max(tonumber(longest), made.longest)))
  if not known then redis.call('PEXPIRE', hour, 3900000) end
end

-- despair answers whether the endpoint is to be disabled: nothing but failures for long, and not just a few.
local function despair()
  if state == 'delivered' then
    if ep.failing > 0 then
      redis.call('HDEL', ENDPOINT, 'ff', 'fn')
      ep.failing = 0
    end
    return false
  end
  if not counts or ARGV[15] == '0' then return false end
  if ep.failing == 0 then
    redis.call('HSET', ENDPOINT, 'ff', now)
    ep.failing = now
  end
  return redis.call('HINCRBY', ENDPOINT, 'fn', 1) >= 20 and now - ep.failing >= tonumber(ARGV[15])
end

-- renewed tells whether a delivery that was found at its end, in the line or without its task, was sent once more since.
local function renewed(r)
  if state == 'expired' then return not r[10] or now < tonumber(r[10]) end
  local start = r[9] or redis.call('ZSCORE', LINE, event)
  return state == 'dead' and start and now < tonumber(start) % REPLAY + tonumber(ARGV[16])
end

-- move gives an open delivery its new state, and its record what set has, name and value.
local function move(key, r, set)
  local function add(name, value) set[#set + 1], set[#set + 2] = name, value end
  if counts then add('n', r[11] and ms(r[11] + 1) or '1') end
  if blocked ~= (r[3] or '0') then add('bl', blocked) end
  if panics ~= (r[8] or '0') then add('pn', panics) end
  if state == 'retrying' then
    redis.call('HSET', key, 'v', '1', 'up', ARGV[1], unpack(set))
    redis.call('ZADD', RETRY, next, event)
    redis.call('PEXPIRE', key, ARGV[4])
    return
  end
  if state == 'dead' then add('dr', death) end
  settle(event, state, ARGV[state == 'dead' and 8 or 7], r[12], set)
  if state == 'dead' then
    redis.call('ZADD', DEAD, now, event)
    for _, old in ipairs(redis.call('ZRANGEBYSCORE', DEAD, '-inf', '(' .. ARGV[9], 'LIMIT', 0, 10)) do
      redis.call('ZREM', DEAD, old) -- the rest is the janitor's
    end
    redis.call('PEXPIRE', DEAD, ARGV[8])
  end
end

-- save does the delivery's part; answers whether it was open, and whether there is nothing else to do: the attempt is known.
local function save(runs)
  local key = record(event)
  local r = redis.call('HMGET', key, 'run', 'st', 'bl', 'last', 'up', 'k', 'prev', 'pn', 'pub', 'exp', 'n', 'j')
  if id ~= '' and r[4] == id then
    again(r[5], runs)
    return false, true
  end
  if id ~= '' and r[7] == id then return false, true end -- two workers may hold the same run
  local sets, set = {}, {}
  if run == '0' and renewed(r) then -- whoever looked has the last word no more
  elseif run == '0' then sets = r[1] and {LINE, RETRY} or {LINE, RETRY, OUT} -- no record: it ended by itself
  elseif state == 'delivered' then sets = {OUT, RETRY, LINE}
  elseif r[1] == run then sets = {OUT, RETRY} end
  local open = not r[2] and leave(sets)
  if id ~= '' then keep(r, set) end
  if open then
    move(key, r, set)
  else
    if #set > 0 then redis.call('HSET', key, 'v', '1', unpack(set)) end
    if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, ARGV[state == 'dead' and 8 or 7]) end
  end
  return open, false
end

-- conclude does the endpoint's part; answers 'open' or 'closed' if the breaker changed, and the reason if the endpoint was disabled.
local function conclude()
  local breaker, disabled = '', ''
  local current = not ep.gone and revision == ep.rev
  if current then breaker = learn() end
  if not ep.gone and not ep.disabled and (current or revision == '') then
    disabled = disable
    if disabled == '' and current and id ~= '' and despair() then disabled = 'failing' end
  end
  if disabled ~= '' then
    redis.call('HSET', ENDPOINT, 'disabled', disabled, 'disabledAt', now, 'disabledBy', brought)
    redis.call('HDEL', ENDPOINT, 'ff', 'fn')
    raise(ep)
    look()
    breaker = ''
  end
  return breaker, disabled
end

-- events are those of n settlements, and where the arguments go on behind these.
local function events(n, a)
  local all = {}
  for i = 1, n do
    all[i] = ARGV[a]
    a = a + (ARGV[a + 10] == '1' and 20 or 11)
  end
  return all, a
end

-- whole does all of the settlement that was read; answers whether it was open, and what it changed beside, {breaker, disabled}, nil
-- for a known attempt. What fails leaves the delivery where it is.
local function whole(runs, made)
  local before = #left
  local ok, open, known = pcall(save, runs)
  if not ok then
    if #left > before then
      out[event], left[#left] = true, nil
      ep.out = ep.out and ep.out + 1
    end
    error(open)
  end
  if known then return false end
  if id ~= '' then
    made.attempts, made.time, made.longest = made.attempts + 1, made.time + took, math.max(made.longest, took)
    if state == 'delivered' then made.delivered = made.delivered + 1 end
  end
  return open, {conclude()}
end

-- settlements does those of one endpoint, of these events, and releases what may run then.
local function settlements(events, a)
  local runs, news, made, first = {}, {}, {attempts = 0, delivered = 0, time = 0, longest = 0}, nil
  changes, asked, left, out, trimmed = {}, {}, {}, {}, false
  look()
  for i, score in ipairs(redis.call('ZMSCORE', OUT, unpack(events))) do out[events[i]] = score or nil end
  flying = redis.call('ZCARD', OUT)
  ep.out = flying
  flying = flying - 1
  for i = 0, #events - 1 do
    a = read(a)
    local open, what = attempt(whole, runs, made)
    if what and (what[1] ~= '' or what[2] ~= '') then
      news[#news + 1], news[#news + 2], news[#news + 3] = i, what[1], what[2]
    end
    if open and (not first or id ~= '' and first.id == '') then first = {at = i, id = id} end
  end
  write()
  if made.attempts > 0 then
    redis.call('PEXPIRE', ATTEMPTS, ARGV[11])
    count(made)
  end
  if not first then return {runs, {}, news, 0} end
  if ep.step or ep.opened > 0 or free(ep) >= math.max(1, ep.limit / AT_ONCE) then
    for _, released in ipairs(release(ep)) do runs[#runs + 1] = released end
  end
  return {runs, wakeup(ep), news, first.at}
end

local answers, a = {}, 17
for k = 0, #KEYS - 8, 8 do
  face(k, a)
  ATTEMPTS, DEAD, ANSWERS = KEYS[k + 6], KEYS[k + 7], KEYS[k + 8]
  local all, after = events(tonumber(ARGV[a + 3]), a + 4)
  local answer, failed = attempt(settlements, all, a + 4)
  answers[#answers + 1] = answer or failed
  a = after
end
return answers
