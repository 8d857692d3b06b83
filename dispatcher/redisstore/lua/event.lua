-- Writes an event down, unless its id is taken.
--
-- KEYS  1 event (string)   2 admitting (sorted set, member: brand:event)
-- ARGV  1 event, packed (see event.go: format byte, 16 bytes of digest, 4 of this publish, …)
--       2 its lifetime, ms  3 now, ms  4 member of admitting
-- Answer: {'new'}; {'unfinished', stored}: its fan-out was not finished;
--         {'duplicate', stored}; {'conflict'}: another type or payload;
--         {'unknown', stored}: the stored format is another version's.
-- Cost: O(size + log admitting).
local stored = redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX', 'GET')
if not stored then
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
  return {'new'}
end
if stored == ARGV[1] then return {'new'} end -- our own command, resent by the client
if not string.find(stored, '^[1m]') then return {'unknown', stored} end
if string.sub(stored, 2, 17) ~= string.sub(ARGV[1], 2, 17) then return {'conflict'} end
if redis.call('ZSCORE', KEYS[2], ARGV[4]) then return {'unfinished', stored} end
return {'duplicate', stored}
