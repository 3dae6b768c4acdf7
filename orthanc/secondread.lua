-- Forwards mammograms from Orthanc to Secondread, each until it has arrived.
--
-- What is wanted is decided from an image's metadata alone (`wanted`), so that a study looked at
-- later is judged as when it came. What has arrived is written beside each image, and whether a
-- study still waits beside the study, as the user metadata "Secondread": that is the queue which
-- survives a restart. The queue in memory is only the order of work.
--
-- One sending job runs at a time. Its end starts the next one, a failure after a pause: Orthanc
-- itself never tries again.

-- The name of the node under "DicomModalities", and of our entry under "UserMetadata".
local NODE = 'secondread'
local MARK = 'Secondread'

-- Digital Mammography X-Ray Image Storage, For Presentation and For Processing (PS3.4 B.5).
-- Nothing that the node writes is of these classes.
local MAMMOGRAMS = {
  ['1.2.840.10008.5.1.4.1.1.1.2'] = true,
  ['1.2.840.10008.5.1.4.1.1.1.2.1'] = true,
}

-- Key Object Selection Document Storage: rejection notes are of it (IHE IOCM). The node tells them from
-- other key objects, which it stores and does not use. It writes none itself.
local KEY_OBJECTS = '1.2.840.10008.5.1.4.1.1.88.59'

-- Seconds between tries: so many for each failure in a row, up to the limit.
local PAUSE, LONGEST_PAUSE = 5, 20

-- At start, unmarked studies that changed within this time are looked at too: they may have come
-- in the moment before Orthanc stopped. Older ones were there before this script.
local CATCH_UP_SECONDS = 24 * 3600

local queue = {}         -- { instance, study, alone } in the order in which they are tried
local queued = {}        -- instance -> true, for what is in the queue or under way
local left = {}          -- study -> how many of its images are in the queue or under way
local running = nil      -- { job, batch }
local failures = 0       -- in a row
local not_before = 0     -- no try before this time
local stopping = false
local node_ae_title      -- nil: something is missing in the configuration, nothing is forwarded
local has_heart_beat     -- whether this Orthanc calls OnHeartBeat

local function get(uri)
  local answer = RestApiGet(uri, true)
  return answer and ParseJson(answer)
end

local function utc(seconds)
  return os.date('!%Y%m%dT%H%M%S', seconds)
end

local function set_mark(level, id, text)
  RestApiPut('/' .. level .. '/' .. id .. '/metadata/' .. MARK, text, true)
end

-- Mammograms and the key objects of their studies, except what the node sent, what it has, and anonymized copies (a second study of
-- the same woman under another name is not to be read).
local function wanted(metadata)
  return node_ae_title ~= nil
    and (MAMMOGRAMS[metadata.SopClassUid] == true or metadata.SopClassUid == KEY_OBJECTS)
    and metadata.RemoteAET ~= node_ae_title
    and metadata.AnonymizedFrom == nil
    and metadata[MARK] == nil
end

local function add(instance, study)
  if not queued[instance] then
    if not left[study] then
      set_mark('studies', study, 'waiting since ' .. utc())
    end
    queued[instance] = true
    left[study] = (left[study] or 0) + 1
    table.insert(queue, { instance = instance, study = study, alone = false })
  end
end

local function remove(item)
  queued[item.instance] = nil
  left[item.study] = left[item.study] - 1
  if left[item.study] == 0 then
    left[item.study] = nil
    set_mark('studies', item.study, 'sent ' .. utc())
  end
end

-- The series of a study that may hold something for the node: none where there is no mammogram.
-- Those of other modalities, which may have thousands of images, are passed over.
local function list_series(id)
  local found, has_mammograms = {}, false
  for _, series in ipairs(get('/studies/' .. id .. '/series') or {}) do
    local modality = series.MainDicomTags.Modality
    has_mammograms = has_mammograms or modality == 'MG'
    if modality == 'MG' or modality == 'KO' then
      table.insert(found, series)
    end
  end
  return has_mammograms and found or {}
end

-- Everything that is still wanted of a study.
local function add_study(id)
  for _, series in ipairs(list_series(id)) do
    for _, instance in ipairs(series.Instances) do
      local metadata = get('/instances/' .. instance .. '/metadata?expand')
      if metadata and wanted(metadata) then
        add(instance, id)
      end
    end
  end
end

-- The next images to try: those of one study together; after a failure one by one, so that an
-- image which the node cannot take holds up no other.
local function next_batch()
  local first = queue[1]
  local batch, rest = {}, {}
  for index, item in ipairs(queue) do
    local joins = item.study == first.study and not item.alone and not first.alone
    table.insert((index == 1 or joins) and batch or rest, item)
  end
  queue = rest
  return batch
end

local function submit(batch)
  local instances = {}
  for _, item in ipairs(batch) do
    table.insert(instances, item.instance)
  end
  local order = { Resources = instances, Asynchronous = true, Permissive = false }
  local answer = RestApiPost('/modalities/' .. NODE .. '/store', DumpJson(order), true)
  return answer and ParseJson(answer).ID
end

-- What Orthanc no longer holds cannot be sent, and is forgotten.
local function put_back(batch)
  for _, item in ipairs(batch) do
    if get('/instances/' .. item.instance .. '/metadata?expand') then
      item.alone = true
      table.insert(queue, item)
    else
      remove(item)
    end
  end
end

local function pause()
  if stopping then
    return
  end
  failures = failures + 1
  local seconds = math.min(PAUSE * failures, LONGEST_PAUSE)
  print('Secondread: could not send; waiting: ' .. #queue .. '; next try in ' .. seconds .. ' s')
  not_before = os.time() + seconds
  if not has_heart_beat then
    -- Before 1.11.1 nothing but an event calls a script. Events have a thread of their own:
    -- while it sleeps, Orthanc stores, answers and sends as ever.
    os.execute('sleep ' .. seconds)
  end
end

local function work()
  while not stopping and not running and #queue > 0 and os.time() >= not_before do
    local batch = next_batch()
    local job = submit(batch)
    if job then
      running = { job = job, batch = batch }
    else
      put_back(batch)
      pause()
    end
  end
end

local function finished(job, arrived)
  if not running or running.job ~= job then
    return
  end
  local batch = running.batch
  running = nil
  if arrived then
    failures, not_before = 0, 0
    for _, item in ipairs(batch) do
      set_mark('instances', item.instance, 'sent ' .. utc())
      remove(item)
    end
  else
    put_back(batch)
    pause()
  end
  work()
end

-- Whether a study has to be looked at after a start.
local function may_wait(study)
  local metadata = get('/studies/' .. study .. '/metadata?expand') or {}
  local mark = metadata[MARK]
  if mark and mark:find('^waiting') then
    return true
  end
  return (metadata.LastUpdate or '') >= utc(os.time() - CATCH_UP_SECONDS)
end

local function calls_heart_beat()
  local major, minor, patch = get('/system').Version:match('^(%d+)%.(%d+)%.(%d+)')
  if not major then
    return true  -- a build from the main line
  end
  return major * 1000000 + minor * 1000 + patch >= 1011001
end

-- What is missing in the configuration, or nil.
local function missing()
  local metadata = GetOrthancConfiguration().UserMetadata or {}
  if not metadata[MARK] then
    return '"' .. MARK .. '" in "UserMetadata"'
  end
  for _, name in ipairs(get('/modalities')) do
    if name == NODE then
      return nil
    end
  end
  return '"' .. NODE .. '" in "DicomModalities"'
end

function Initialize()
  local what = missing()
  if what then
    print('Secondread: nothing is forwarded, the configuration lacks ' .. what)
    return
  end
  node_ae_title = get('/modalities/' .. NODE .. '/configuration').AET
  has_heart_beat = calls_heart_beat()
  for _, study in ipairs(get('/studies') or {}) do
    if may_wait(study) then
      add_study(study)
    end
  end
  work()
end

-- Orthanc stops only when no event is left, so nothing may start here that would make one.
function Finalize()
  stopping = true
end

-- There is no OnStoredInstance here, and there must be none: Orthanc hands it the whole content of
-- what came, pushed on Lua's stack without asking for room (LuaContext::PushJson has no
-- lua_checkstack). A structured report is deep enough to write beyond that stack, and Orthanc
-- breaks off sooner or later. The events below hand over a few flat tags.
function OnStableSeries(id)
  local study = get('/series/' .. id .. '/study')
  if study then
    add_study(study.ID)
    work()
  end
end

-- A second look at what came: it finds what an interruption made the first one miss.
function OnStableStudy(id)
  add_study(id)
  work()
end

function OnJobSuccess(job)
  finished(job, true)
end

function OnJobFailure(job)
  finished(job, false)
end

function OnHeartBeat()
  work()
end
