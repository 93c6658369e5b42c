--[[ Dead letters: a job with the option dead_letter that fails for good, but for being
cancelled, becomes the data of a job in the queue of that name on the same server. It keeps its
name and, where it is free there, its id. ]]
local dead = {} -- {queue, id, name, the record's lines of the letter from the third on, second id}
local names = {} -- by their JSON

local function count_dead() return #dead end

-- Note a failed job, as its record says, for send_dead.
local function note_dead(queue, id, job)
  local source = string.match(prefix, '{(.*)}')
  local letter = string.format(
    '{"queue":"%s","job_id":"%s","name":%s,"data":%s,"failed_reason":%s,"stacktrace":%s,'
      .. '"attempts_made":%d}',
    source, id, job[3], job[5], job[7], job[8] ~= '' and job[8] or '[]', job.made)
  names[job[3]] = names[job[3]] or cjson.decode('[' .. job[3] .. ']')[1]
  dead[#dead + 1] = {queue, id, names[job[3]], job[3] .. '\n\n' .. letter, id .. '.' .. job.begun}
end

-- The letters by queue, in the order in which they were noted.
local function sorted_letters()
  local queues, letters_of = {}, {}
  for _, letter in ipairs(dead) do
    local queue = letter[1]
    if not letters_of[queue] then
      letters_of[queue] = {}
      queues[#queues + 1] = queue
    end
    table.insert(letters_of[queue], letter)
  end
  return queues, letters_of
end

-- Add the letters, then reserve ids for what the script does afterwards. A second letter of
-- the same job gets an id with the number of starts behind it, and a number of its own besides
-- when the job was started as often before it began anew.
local function send_dead(afterwards)
  local queues, letters_of = sorted_letters()
  for _, queue in ipairs(queues) do
    local letters, keys, added = letters_of[queue], {}, {}
    enter(prefix_of(queue))
    reserve(2 * #letters + 1)
    for k, letter in ipairs(letters) do keys[k] = job_key(letter[2]) end
    local some_exist = redis.call('EXISTS', unpack(keys)) > 0
    for _, letter in ipairs(letters) do
      local _, id, name, rest, second_id = unpack(letter)
      if some_exist and redis.call('EXISTS', job_key(id)) == 1 then
        id = second_id
        if redis.call('EXISTS', job_key(id)) == 1 then id = second_id .. '.' .. mint() end
      end
      enter_line(id, 0, '0', rest)
      added[#added + 1] = id
      added[#added + 1] = name
    end
    emit('added,waiting', added, 2)
    arm()
  end
  enter(home)
  reserve(afterwards)
end
