-- Gives a delivery whose task is lost a new run, or its place in the line.
--
-- ARGV  7 event  8 the run that is lost
-- Answer: {the run to enqueue {{event, run, queue}}, or none, wake-up}.
-- Cost: O(log n) of the endpoint's sets.
local event = ARGV[7]
local r = redis.call('HMGET', record(event), 'run', 'st', 'pub', 'bq', 'v')
if r[1] ~= ARGV[8] or r[2] or newer(r[5]) then return {{}, {}} end
if redis.call('ZREM', OUT, event) + redis.call('ZREM', RETRY, event) == 0 then return {{}, {}} end
local ep = endpoint()
if gate(ep) then
  stand(event, r[3], r[4])
  return {{}, wakeup(ep)}
end
return {start(ep, {event, r[3]}), {}}
