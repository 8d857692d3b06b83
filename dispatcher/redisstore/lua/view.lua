-- Reads how one delivery stands.
--
-- ARGV  7 event
-- Answer: {state, attempts, next ms, death, updated ms, position in the line, gate, until ms}, '' where there
--         is none; nothing when there is no such delivery.
-- Cost: O(log n) of the endpoint's sets.
local event = ARGV[7]
local r = redis.call('HMGET', record(event), 'st', 'n', 'dr', 'up')
local answer = {r[1] or '', r[2] or '0', '', r[3] or '', r[4] or '', '', '', ''}
if r[1] then return answer end

local rank = redis.call('ZRANK', LINE, event)
local next = redis.call('ZSCORE', RETRY, event)
local since = redis.call('ZSCORE', OUT, event) or redis.call('ZSCORE', LINE, event)
if since and answer[5] == '' then answer[5] = ms(tonumber(since) % REPLAY) end
if rank then
  answer[1], answer[6] = 'waiting', tostring(rank + 1)
  local ep = endpoint()
  local name, at = gate(ep)
  if not ep.gone then answer[7] = name or 'slot' end -- a deleted one's waits to be cancelled
  answer[8] = at and ms(at) or ''
elseif next then
  answer[1], answer[3] = 'retrying', string.format('%.0f', tonumber(next))
elseif since then
  answer[1] = 'running'
else
  return {}
end
return answer
