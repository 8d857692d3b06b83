-- Settles an open delivery as cancelled, wherever it is, and releases what may run.
--
-- ARGV  7 event  8 lifetime of a settled record, ms
-- Answer: {1 if it was open, 2 if its record is another version's, runs released {{event, run, queue}, …}, wake-up}
-- Cost: O(log n) of the endpoint's sets, and one record, times the runs released.
local event = ARGV[7]
if newer(redis.call('HGET', record(event), 'v')) then return {2, {}, {}} end
local left = 0
for _, set in ipairs({LINE, OUT, RETRY}) do left = left + redis.call('ZREM', set, event) end
if left == 0 then return {0, {}, {}} end
settle(event, 'cancelled', ARGV[8])
local ep = endpoint()
local runs = release(ep)
return {1, runs, wakeup(ep)}
