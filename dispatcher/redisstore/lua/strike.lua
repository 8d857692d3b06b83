-- Deletes the records of settled deliveries whose events' bodies are gone. One that is open, or a dead letter, stays.
--
-- KEYS  6 dead letters (sorted set)
-- ARGV  7 … events
-- Answer: how many there were.
-- Cost: O(log n) of the endpoint's sets, and one record, times the events.
local struck = 0
for i = 7, #ARGV do
  local event = ARGV[i]
  local stays = redis.call('ZSCORE', LINE, event) or redis.call('ZSCORE', OUT, event) or redis.call('ZSCORE', RETRY, event)
    or redis.call('ZSCORE', KEYS[6], event)
  if not stays and redis.call('HEXISTS', record(event), 'st') == 1 then
    struck = struck + redis.call('DEL', record(event))
  end
end
return struck
