-- Gives settled deliveries of one endpoint another beginning.
--
-- KEYS  6 dead letters (sorted set)
-- ARGV  7 why  8 job ('' none)  9 its queue of the bulk lane ('' the live one)  10 '1': what waits for its retry time is due now
--       11 lifetime of the job's account, ms  then of each delivery: its event, states that are meant, a comma before and after
--       each, '1': change nothing
-- Answer: {of each 'sent', 'open', 'other', 'gone' or 'newer' (another version's record)}, runs released {{event, run, queue}, …},
--         wake-up
-- Cost: O(log n) of the endpoint's sets, and one record, times deliveries and runs released.
local job, bulk = ARGV[8], ARGV[9]
local ep, moved, sent = endpoint(), false, {}

local left = {} -- of an earlier reopening, where this has nothing in its place
if job == '' then left[#left + 1] = 'j' end
if bulk == '' then left[#left + 1] = 'bq' end

local function reopen(event, states, dry)
  local key = record(event)
  local r = redis.call('HMGET', key, 'st', 'j', 'run', 'pub', 'bq', 'v')
  if newer(r[6]) then return 'newer' end
  if ep.gone and job == '' then return 'gone' end
  if job ~= '' and r[2] == job then return 'other' end
  if not r[1] then
    if redis.call('ZSCORE', RETRY, event) then
      if ARGV[10] ~= '1' or not r[4] then return 'open' end -- without its record it can only end
      if dry then return 'sent' end
      redis.call('ZREM', RETRY, event)
      stand(event, r[4], r[5])
      moved = true
      return 'sent'
    end
    if redis.call('ZSCORE', OUT, event) or redis.call('ZSCORE', LINE, event) then return 'open' end
  end
  if not string.find(states, ',' .. (r[1] or '') .. ',', 1, true) then return 'other' end
  if ep.gone then return 'gone' end
  if dry then return 'sent' end

  local fields = {'v', '1', 'pub', ARGV[1], 'up', ARGV[1], 'tr', ARGV[7]}
  local function set(name, value) fields[#fields + 1], fields[#fields + 2] = name, value end
  if not r[3] then set('run', 1) end -- so that the first is one of those that look at bq
  if job ~= '' then set('j', job) end
  if bulk ~= '' then set('bq', bulk) end
  redis.call('HSET', key, unpack(fields)) -- first: a full Redis refuses it
  redis.call('HDEL', key, 'st', 'dr', 'n', 'bl', 'pn', 'exp', 'af', unpack(left))
  redis.call('PEXPIRE', key, ARGV[4])
  if #sent == 0 then redis.call('ZADD', DUE, 'LT', now + 5000, ARGV[6]) end
  stand(event, now, bulk ~= '')
  moved, sent[#sent + 1] = true, event
  return 'sent'
end

local became = {}
for i = 12, #ARGV, 3 do became[#became + 1] = reopen(ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1') end
if #sent > 0 then
  redis.call('ZREM', KEYS[6], unpack(sent))
  if job ~= '' then
    local account = beside('c') .. ':' .. job
    redis.call('HSET', account, 'v', '1')
    redis.call('HINCRBY', account, 'sent', #sent)
    redis.call('PEXPIRE', account, ARGV[11])
  end
end
if not moved then return {became, {}, {}} end
local runs = release(ep)
return {became, runs, wakeup(ep)}
