-- Gives a settled delivery another beginning.
--
-- KEYS  6 dead letters (sorted set)
-- ARGV  7 event  8 states that are meant, a comma before and after each  9 why  10 job ('' none)
--       11 its queue of the bulk lane ('' the live one)  12 '1': if it waits for its retry time, it is due now
--       13 '1': change nothing  14 lifetime of the job's account, ms
-- Answer: {'sent', 'open', 'other', 'gone' or 'newer' (another version's record), runs released {{event, run, queue}, …}, wake-up}
-- Cost: O(log n) of the endpoint's sets, and one record, times the runs released.
local event, job, dry = ARGV[7], ARGV[10], ARGV[13] == '1'
local ep = endpoint()
local function answer(what, runs, wake)
  return {what, runs or {}, wake or {}}
end

local key = record(event)
local r = redis.call('HMGET', key, 'st', 'j', 'run', 'pub', 'bq', 'v')
if newer(r[6]) then return answer('newer') end
if ep.gone and job == '' then return answer('gone') end
if job ~= '' and r[2] == job then return answer('other') end
if not r[1] then
  if redis.call('ZSCORE', RETRY, event) then
    if ARGV[12] ~= '1' or not r[4] then return answer('open') end -- without its record it can only end
    if dry then return answer('sent') end
    redis.call('ZREM', RETRY, event)
    stand(event, r[4], r[5])
    local runs = release(ep)
    return answer('sent', runs, wakeup(ep))
  end
  if redis.call('ZSCORE', OUT, event) or redis.call('ZSCORE', LINE, event) then return answer('open') end
end
if not string.find(ARGV[8], ',' .. (r[1] or '') .. ',', 1, true) then return answer('other') end
if ep.gone then return answer('gone') end
if dry then return answer('sent') end

redis.call('HSET', key, 'v', '1', 'pub', now, 'up', now, 'tr', ARGV[9]) -- first: a full Redis refuses it
redis.call('HDEL', key, 'st', 'dr', 'n', 'bl', 'pn', 'exp', 'af', 'j', 'bq')
if not r[3] then redis.call('HSET', key, 'run', 1) end -- so that the first is one of those that look at bq
if job ~= '' then
  local account = beside('c') .. ':' .. job
  redis.call('HSET', key, 'j', job)
  redis.call('HSET', account, 'v', '1')
  redis.call('HINCRBY', account, 'sent', 1)
  redis.call('PEXPIRE', account, ARGV[14])
end
if ARGV[11] ~= '' then redis.call('HSET', key, 'bq', ARGV[11]) end
redis.call('PEXPIRE', key, ARGV[4])
redis.call('ZREM', KEYS[6], event)
redis.call('ZADD', DUE, 'LT', now + 5000, ARGV[6])
stand(event, now, ARGV[11] ~= '')
local runs = release(ep)
return answer('sent', runs, wakeup(ep))
