-- Gives deliveries to one endpoint a slot or a place in its line each. Idempotent.
--
-- ARGV  7 lifetime of a settled record, ms  then of each delivery: event, published, ms, expires, ms ('' never)
-- Answer: as admits (admits.lua).
-- Cost: O(log line + log out) and one record, times deliveries and runs released.
return admits({unpack(ARGV, 8)}, ARGV[7])
