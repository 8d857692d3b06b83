-- Answers which deliveries of one endpoint a job may mean: the others are left alone.
--
-- ARGV  7 states that are meant, a comma before and after each  8 job  9 … events
-- Answer: of each 'open'; 'other': in another state, or this job's already; 'meant', also of a record that another version has to itself.
-- Cost: O(log n) of the endpoint's sets, and one record, times the events.
local function what(event)
  local r = redis.call('HMGET', record(event), 'st', 'j', 'v')
  if newer(r[3]) then return 'meant' end
  if r[2] == ARGV[8] then return 'other' end
  if not r[1] then
    for _, set in ipairs({LINE, OUT, RETRY}) do
      if redis.call('ZSCORE', set, event) then return 'open' end
    end
  end
  return string.find(ARGV[7], ',' .. (r[1] or '') .. ',', 1, true) and 'meant' or 'other'
end
local answer = {}
for i = 9, #ARGV do answer[#answer + 1] = what(ARGV[i]) end
return answer
