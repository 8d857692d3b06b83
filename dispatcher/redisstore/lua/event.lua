-- Writes events down, unless their ids are taken. Their fan-outs are still to be done.
--
-- KEYS  of each event: 1 event (string)   2 admitting (sorted set, member: brand:event)
-- ARGV  1 their lifetime, ms  2 now, ms  then of each event: 1 event, packed  2 member of admitting
-- Answer: of each event
--         {'new'}; {'unfinished', stored}: its fan-out was not finished;
--         {'duplicate', stored}; {'conflict'}: another type or payload;
--         {'unknown', stored}: the stored format is another version's.
-- Cost: O(size + log admitting), times the events.
local answers = {}
for i = 1, #KEYS, 2 do
  local answer, written = write(KEYS[i], ARGV[i + 2], ARGV[1], KEYS[i + 1], ARGV[i + 3])
  if written then redis.call('ZADD', KEYS[i + 1], ARGV[2], ARGV[i + 3]) end
  answers[#answers + 1] = answer
end
return answers
