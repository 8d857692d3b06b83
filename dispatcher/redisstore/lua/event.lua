-- Writes events down, unless their ids are taken.
--
-- KEYS  of each event: 1 event (string)   2 admitting (sorted set, member: brand:event)
-- ARGV  1 their lifetime, ms  2 now, ms  then of each event: 1 event, packed (see event.go: format byte, 16 bytes of digest,
--       4 of this publish, …)  2 member of admitting
-- Answer: of each event
--         {'new'}; {'unfinished', stored}: its fan-out was not finished;
--         {'duplicate', stored}; {'conflict'}: another type or payload;
--         {'unknown', stored}: the stored format is another version's.
-- Cost: O(size + log admitting), times the events.
local function write(event, admitting, packed, member)
  local stored = redis.call('SET', event, packed, 'PX', ARGV[1], 'NX', 'GET')
  if not stored then
    redis.call('ZADD', admitting, ARGV[2], member)
    return {'new'}
  end
  if stored == packed then return {'new'} end -- our own command, resent by the client
  if not string.find(stored, '^[1tm]') then return {'unknown', stored} end
  if string.sub(stored, 2, 17) ~= string.sub(packed, 2, 17) then return {'conflict'} end
  if redis.call('ZSCORE', admitting, member) then return {'unfinished', stored} end
  return {'duplicate', stored}
end

local answers = {}
for i = 1, #KEYS, 2 do answers[#answers + 1] = write(KEYS[i], KEYS[i + 1], ARGV[i + 2], ARGV[i + 3]) end
return answers
