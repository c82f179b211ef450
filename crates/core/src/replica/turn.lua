-- One turn of one gate, exactly once. `model.rs` says the same in Rust and is the oracle for this script; `docs/replicas.md`
-- has the reasons. All times are in microseconds, all numbers are whole and below 2^53.
--
-- KEYS: 1 meta, 2 gates, 3 answers, 4 pending; then of each meter its state and its log.
-- ARGV: 1 the call; then of each meter what is said of it.
local SETTLE, SILENT, STEP, VOUCH = 1500000, 3000000, 50000, 5000000
local MOST, HUNGRY, PARTS = 500, 1000000, 720720
local function text(number) return string.format('%.0f', number) end
local function words(line)
  local list = {}
  for word in string.gmatch(line, '%S+') do list[#list + 1] = word end
  return list
end
local function numbers(line)
  local list = words(line)
  for at = 1, #list do list[at] = tonumber(list[at]) end
  return list
end
local function pairs_of(key)
  local flat, map = redis.call('HGETALL', key), {}
  for at = 1, #flat, 2 do map[flat[at]] = flat[at + 1] end
  return map
end

local call = words(ARGV[1])
local gate, nonce, epoch = call[1], call[2], call[3]
local seq, prev, lo = tonumber(call[4]), tonumber(call[5]), tonumber(call[6])
local ttl, share, outage, longest = tonumber(call[8]), tonumber(call[9]), tonumber(call[10]), tonumber(call[11])
local leaves, waits = call[12] == '1', tonumber(call[13])
local anchor, hi, confirmed = tonumber(call[14]), tonumber(call[7]), tonumber(call[15])
local time = redis.call('TIME')
local raw = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- A store that knows nothing begins an epoch. A gate of another one is told so, and nothing changes.
local known = words(redis.call('GET', KEYS[1]) or '')
local meta = {epoch = known[1] or nonce, off = tonumber(known[2] or 0), hw = tonumber(known[3] or raw)}
meta.start, meta.mark = tonumber(known[4] or raw), tonumber(known[5] or 0)
local function keep_meta()
  local line = table.concat({meta.epoch, text(meta.off), text(meta.hw), text(meta.start), text(meta.mark)}, ' ')
  redis.call('SET', KEYS[1], line, 'PX', 172800000)
end
if epoch ~= meta.epoch then
  keep_meta()
  return 'declare ' .. meta.epoch .. ' ' .. text(raw + meta.off - meta.start)
end

-- Exactly once.
local me = numbers(redis.call('HGET', KEYS[2], gate) or '')
if me[1] then
  if seq == me[1] then return redis.call('HGET', KEYS[3], gate) end
  if seq < me[1] then return 'stale' end
end

-- The store's clock is held between those of the gates, which do not step. A gate that cannot tell how long it was away is told
-- what the clock is until it has seen it move, if any other gate calls.
local now, late = raw + meta.off, 0
if prev > 0 and prev >= meta.mark and meta.hw - prev <= VOUCH then
  local held = math.max(prev + lo, math.min(now, anchor + hi + STEP))
  meta.off = meta.off + held - now
  now, late = held, anchor + hi
else
  for id, line in pairs(waits < VOUCH and pairs_of(KEYS[2]) or {}) do
    if id ~= gate and meta.hw - numbers(line)[3] <= VOUCH then return 'later ' .. text(meta.hw) end
  end
  -- The clock is taken as it is; what gates knew of it before no longer counts.
  meta.mark = math.max(now, meta.hw)
end
now = math.max(now, meta.hw)
meta.hw = now
-- What the gate did, and what it will do, is no later than this by its own clock, however late the store's is.
late = math.max(now, late)
keep_meta()

-- In a new epoch all gates that any gate knew of declare what they have sent; no place is leased before. One that does not
-- may be on its share of an outage.
if not me[1] or me[1] == 0 then
  redis.call('SREM', KEYS[4], gate)
  for at = 17, #call do
    local id, promise = string.match(call[at], '^(.-):(%d+)$')
    if id ~= gate and redis.call('HEXISTS', KEYS[2], id) == 0 then
      redis.call('SADD', KEYS[4], id)
      redis.call('HSET', KEYS[2], id, table.concat({'0', '0', text(now), promise, text(outage), text(longest)}, ' '))
    end
  end
end
local is_ready = now >= meta.start + SETTLE and redis.call('SCARD', KEYS[4]) == 0

-- Each gate's share of an outage, and those set aside for gates that may not hear the store.
local peers, promised, silent = {}, 0, {}
for id, line in pairs(pairs_of(KEYS[2])) do
  local other = numbers(line)
  if id ~= gate and now >= other[3] + other[5] + other[6] then
    redis.call('HDEL', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
  elseif id ~= gate then
    peers[#peers + 1] = id .. ':' .. text(other[4])
    promised = promised + other[4]
    if now - other[2] > SILENT then silent[#silent + 1] = {other[4], other[3] + other[5], other[5]} end
  end
end
table.sort(peers)
local mine = leaves and 0 or math.max(0, math.min(share, PARTS - promised))
if now - confirmed > SILENT then silent[#silent + 1] = {mine, now + outage, outage} end

local answer = {'ok ' .. meta.epoch .. ' ' .. text(now) .. ' ' .. text(late) .. ' ' .. call[16] .. ' ' .. text(mine) .. ' ' .. table.concat(peers, ' ')}
for at = 2, #ARGV do
  local state, log = KEYS[2 * at + 1], KEYS[2 * at + 2]
  local said = words(ARGV[at])
  local limit, span, want, least = tonumber(said[1]), tonumber(said[2]), tonumber(said[3]), tonumber(said[4])
  local claim, back = tonumber(said[5]), tonumber(said[6])
  local was = pairs_of(state)
  local used, held = tonumber(was.used or 0), tonumber(was.held or 0)
  span = math.max(span, tonumber(was.span or 0))
  local own, lapsed, claims, lowest, set = {0, 0, 0, 0, 0, 0}, 0, 0, limit, {}
  local function add(score, name, cost)
    local is_new = redis.call('ZADD', log, 'NX', text(score), name .. ':' .. text(cost)) == 1
    if is_new then used = used + cost end
    return is_new
  end

  -- A lease that ended counts as spent at its end, until its gate calls again: it has spent nothing since. Where limits differ,
  -- the lowest of those heard of counts.
  for field, line in pairs(was) do
    if string.sub(field, 1, 2) == 'g:' then
      local lease, id = numbers(line), string.sub(field, 3)
      if id == gate then
        own = lease
      else
        if lease[1] > 0 and lease[2] <= now then
          add(lease[2], id .. ':e' .. text(lease[2]), lease[1])
          held = held - lease[1]
          lease[6], lease[1] = lease[1], 0
          local ended = {'0', text(lease[2]), text(lease[3]), text(lease[4]), text(lease[5]), text(lease[6])}
          set[field] = table.concat(ended, ' ')
        end
        if lease[1] == 0 and lease[5] + span <= now then
          redis.call('HDEL', state, field)
          set[field] = nil
        else
          lowest = math.min(lowest, lease[3])
          if lease[4] > 0 and lease[5] + HUNGRY > now then claims = claims + lease[4] end
        end
      end
    end
  end
  if own[6] > 0 then
    local name = gate .. ':e' .. text(own[2]) .. ':' .. text(own[6])
    if redis.call('ZREM', log, name) == 1 then
      used, held, own[1] = used - own[6], held + own[6], own[6]
    else
      lapsed = 1
    end
  elseif own[1] > 0 and own[2] + span <= now then
    held, own[1], lapsed = held - own[1], 0, 1
  end

  -- What was sent. Ages are taken before the call goes, so that nothing is logged earlier than it was sent.
  for entry = 7, #said, 3 do
    local kind, age, cost = said[entry], tonumber(said[entry + 1]), tonumber(said[entry + 2])
    local name = gate .. ':' .. text(seq) .. '.' .. entry
    if kind == 's' and lapsed == 0 and add(late - age, name, cost) then
      local paid = math.min(cost, own[1])
      own[1], held = own[1] - paid, held - paid
    elseif kind == 'x' then
      add(late - age, name, cost)
    elseif kind == 'h' then
      own[1], held = own[1] + cost, held + cost
    elseif kind == 'r' and prev - age - STEP > now - span then
      add(prev - age - STEP, name, -cost)
    end
  end
  local gone = redis.call('ZRANGEBYSCORE', log, '-inf', text(now - span), 'LIMIT', 0, MOST)
  for _, entry in ipairs(gone) do used = used - tonumber(string.match(entry, '(-?%d+)$')) end
  if #gone > 0 then redis.call('ZREM', log, unpack(gone)) end
  if leaves then back = own[1] end
  back = math.min(back, own[1])
  own[1], held = own[1] - back, held - back

  -- New places: no more than there is room for, and than this gate's part of it among those that want some.
  local parts = 0
  for _, quiet in ipairs(silent) do
    if span < quiet[3] and now < quiet[2] + span then parts = parts + quiet[1] end
  end
  local aside = math.floor(lowest * parts / PARTS)
  local room = math.max(0, lowest - used - held - aside)
  local granted = 0
  if leaves then want = 0 end
  if want > 0 and (is_ready or now >= meta.start + span + ttl) then
    local all = math.max(1, claims + claim)
    local part = math.floor((room * claim + all - 1) / all)
    granted = math.min(want, room, math.max(part, least))
  end
  own[1], held = own[1] + granted, held + granted
  if want == granted then claim = 0 end
  if leaves then
    redis.call('HDEL', state, 'g:' .. gate)
    set['g:' .. gate] = nil
  else
    local line = {text(own[1]), text(late + ttl), text(limit), text(claim), text(now), '0'}
    set['g:' .. gate] = table.concat(line, ' ')
  end
  for field, line in pairs(set) do redis.call('HSET', state, field, line) end
  redis.call('HSET', state, 'used', text(used), 'held', text(held), 'span', text(span))
  redis.call('PEXPIRE', state, text(math.floor((span + outage) / 1000) + 600000))
  redis.call('PEXPIRE', log, text(math.floor((span + outage) / 1000) + 600000))

  -- When eighths of what counts will have left the window.
  local told = {lapsed, text(granted), text(lowest), text(used), text(held), text(aside), text(claims), text(claim)}
  local entries = want > granted and redis.call('ZCARD', log) or 0
  for eighth = 1, entries > 0 and 8 or 0 do
    local rank = math.max(0, math.floor(entries * eighth / 8) - 1)
    local entry = redis.call('ZRANGE', log, rank, rank, 'WITHSCORES')
    told[#told + 1] = text(tonumber(entry[2]) + span - now)
  end
  answer[#answer + 1] = table.concat(told, ' ')
end

local whole = table.concat(answer, '\n')
if leaves then
  redis.call('HDEL', KEYS[2], gate)
  redis.call('HDEL', KEYS[3], gate)
else
  local record = {text(seq), text(confirmed), text(now), text(mine), text(outage), text(longest)}
  redis.call('HSET', KEYS[2], gate, table.concat(record, ' '))
  redis.call('HSET', KEYS[3], gate, whole)
end
for key = 2, 4 do redis.call('PEXPIRE', KEYS[key], 172800000) end
return whole
