-- Adds events to their brand's index in the order they come, and drops those whose time is over.
--
-- KEYS  1 index (stream: e format byte and event id, t type)
-- ARGV  1 lifetime, ms  2 entries older than this go, ms  3… event id, type, …
-- Answer: nothing. An event that two finished at the same time may stand in it twice.
-- Cost: O(events).
for i = 3, #ARGV, 2 do
  redis.call('XADD', KEYS[1], 'MINID', '~', ARGV[2], '*', 'e', '1' .. ARGV[i], 't', ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
