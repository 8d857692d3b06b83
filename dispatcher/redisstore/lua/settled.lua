-- Answers how deliveries of one endpoint stand, as far as it says whether their events' bodies are needed.
--
-- KEYS  6 dead letters (sorted set)
-- ARGV  7 … events
-- Answer: for each 'open'; 'dead'; when it was settled, ms; '' when nothing is known of it.
-- Cost: O(log n) of the endpoint's sets, and one record, times the events.
local open = {}
for _, set in ipairs({LINE, OUT, RETRY}) do
  if redis.call('EXISTS', set) == 1 then open[#open + 1] = set end
end
local died = redis.call('EXISTS', KEYS[6]) == 1
local function stands(event)
  for _, set in ipairs(open) do
    if redis.call('ZSCORE', set, event) then return 'open' end
  end
  if died and redis.call('ZSCORE', KEYS[6], event) then return 'dead' end
  local r = redis.call('HMGET', record(event), 'st', 'up', 'v')
  if newer(r[3]) then return 'open' end -- for all that this version knows
  return r[1] and (r[2] or '0') or ''
end
local answer = {}
for i = 7, #ARGV do answer[#answer + 1] = stands(ARGV[i]) end
return answer
