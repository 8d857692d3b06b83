-- Writes events down unless their ids are taken, admits the deliveries of those that it wrote, and lists these events: then their
-- fan-outs are finished. It touches keys of several tags, and so is for a single node.
--
-- KEYS  of each event: 1 event (string)   2 admitting (sorted set)   3 its brand's index (stream); then of each endpoint 1 to 5, as
--       endpoint.lua has them
-- ARGV  7 lifetime of a settled record, ms  8 entries of an index older than this go, ms  9 how many events, and of each:
--       1 event, packed  2 its entry in the index: a format byte and its id  3 type ('' it is not listed, but left unfinished)
--       4 member of admitting  5 published, ms  6 expires, ms ('' never)
--       then of each endpoint: prefix of its records' keys, queue of a new run, member of due, how many deliveries, and of each
--       which event, from 1
-- Answer: {of each event what event.lua answers, or {'failed', why}, of each endpoint what admits (admits.lua) answers, or
--         {'failed', why}}: something of another kind stands at one of its keys. The endpoint's events are left unfinished then, and
--         so is one that cannot be listed.
-- Cost: O(size) of the events, O(log line + log out) and one record, times deliveries and runs released.
local LIFETIME = ARGV[4] -- of an event, and of an index since the last
local n, verdicts, own, indexes = tonumber(ARGV[9]), {}, {}, {}

local function list(index, entry, kind)
  if indexes[index] then return redis.call('XADD', index, '*', 'e', entry, 't', kind) end
  indexes[index] = true
  redis.call('XADD', index, 'MINID', '~', ARGV[8], '*', 'e', entry, 't', kind)
  return redis.call('PEXPIRE', index, LIFETIME)
end

-- unfinished leaves an event to whoever finishes its fan-out; where that cannot be written down, it was not published.
local function unfinished(i)
  local _, failed = attempt(redis.call, 'ZADD', KEYS[3 * i - 1], ARGV[1], ARGV[6 * i + 7])
  if not failed then return end
  redis.call('DEL', KEYS[3 * i - 2])
  verdicts[i], own[i] = failed, false
end

local function put(i)
  local k, a = 3 * i - 2, 6 * i + 4
  return write(KEYS[k], ARGV[a], LIFETIME, KEYS[k + 1], ARGV[a + 3])
end

for i = 1, n do
  local verdict, written = attempt(put, i)
  if not verdict then
    if i == 1 and not string.find(written[2], '^WRONGTYPE') then put(i) end -- a full Redis refuses all of it
    verdict, written = written, false
  end
  verdicts[i], own[i] = verdict, verdict[1] == 'new'
  local a = 6 * i + 4
  if written and (ARGV[a + 2] == '' or not attempt(list, KEYS[3 * i], ARGV[a + 1], ARGV[a + 2])) then unfinished(i) end
end

local answers, a = {}, 6 * n + 10
for k = 3 * n, #KEYS - 5, 5 do
  face(k, a)
  local deliveries, events = {}, {}
  for at = a + 4, a + 3 + ARGV[a + 3] do
    local i = tonumber(ARGV[at])
    if own[i] then
      local of = 6 * i + 4
      events[#events + 1] = i
      deliveries[#deliveries + 1] = string.sub(ARGV[of + 1], 2)
      deliveries[#deliveries + 1] = ARGV[of + 4]
      deliveries[#deliveries + 1] = ARGV[of + 5]
    end
  end
  local answer, failed = {{}, {}}, nil
  if #events > 0 then
    answer, failed = attempt(admits, deliveries, ARGV[7])
    for _, i in ipairs(failed and events or {}) do unfinished(i) end
  end
  answers[#answers + 1] = answer or failed
  a = a + 4 + ARGV[a + 3]
end
return {verdicts, answers}
