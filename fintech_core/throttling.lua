-- Generic cell rate algorithm (ITU-T I.371) over several limits at once, in one round trip.
-- KEYS[i]: where limit i keeps its theoretical arrival time, in microseconds.
-- ARGV[1]: how many units the request takes. It is let through while one is left, and owes the others.
-- ARGV[2i]: how many units the limit gives in its period; ARGV[2i+1]: the period in seconds.
-- Answers, for each limit: allowed (0 or 1), remaining, microseconds until one more is let through (when refused),
-- microseconds until the whole quota is there again. A request counts against all of its limits or against none.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local units = tonumber(ARGV[1])
local arrivals, answers, allowed = {}, {}, true
for i = 1, #KEYS do
  local limit, period = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1]) * 1000000
  local arrival = math.max(tonumber(redis.call('GET', KEYS[i]) or '') or now, now)
  local spacing = math.floor(period / limit)
  local wait = arrival + spacing - period - now
  local next_arrival = arrival + units * spacing
  arrivals[i] = next_arrival
  if wait > 0 then
    allowed = false
    answers[i] = {0, 0, math.ceil(wait), math.ceil(arrival - now)}
  else
    local left = math.floor((period - (next_arrival - now)) / spacing)
    answers[i] = {1, math.max(left, 0), 0, math.ceil(next_arrival - now)}
  end
end
if allowed then
  for i = 1, #KEYS do
    redis.call('SET', KEYS[i], string.format('%.0f', arrivals[i]), 'PX', math.ceil((arrivals[i] - now) / 1000))
  end
end
return answers
