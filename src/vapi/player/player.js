// The playback page: follows a video until there is something to play, then plays it.
//
// What the API tells is text of others (titles, errors): it gets into the page as text only.

import Hls from "./vendor/hls.js-1.7.4/hls.min.mjs";
import { showStoryboard } from "./storyboard.js";

const FINAL = new Set(["completed", "failed", "cancelled"]);
const HLS_TYPE = "application/vnd.apple.mpegurl";
const AUTOMATIC = -1;

const element = (id) => document.getElementById(id);
const video = element("video");

function say(text) {
  element("status").textContent = text;
}

function tellProblem(text) {
  element("problem").textContent = text;
  element("problem").hidden = false;
}

/** GET a video as the API tells it; throws an Error with the API's own sentence. */
async function describe(path) {
  const answer = await fetch(path);
  const body = await answer.json();
  if (!answer.ok) {
    throw new Error(body.detail);
  }
  return body;
}

/** Follow the video's events until `isReached`, given its state; rejects when it never will be. */
function follow(path, isReached) {
  return new Promise((resolve, reject) => {
    const events = new EventSource(`${path}/events`);
    const look = ({ data }) => {
      const state = JSON.parse(data);
      if (isReached(state)) {
        events.close();
        resolve();
      } else if (FINAL.has(state.status)) {
        events.close();
        reject(new Error(state.error?.message ?? `The video is ${state.status}.`));
      } else {
        say(`The video is ${state.status}: ${Math.floor(state.progress)} %`);
      }
    };
    events.addEventListener("status", look);
    events.addEventListener("progress", look);
  });
}

function offer(select, choices, chosen, choose) {
  select.replaceChildren(...choices.map(([text, value]) => new Option(text, value)));
  select.value = chosen;
  select.addEventListener("change", () => choose(Number(select.value)));
  select.parentElement.hidden = false;
  element("choices").hidden = false;
}

function levelName({ width, height }) {
  return `${Math.min(width, height)}p`;
}

function offerQualities(hls) {
  const levels = hls.levels.map((level, number) => [
    `${levelName(level)}, ${Math.round(level.bitrate / 1000)} kbit/s`,
    number,
  ]);
  const choices = [["Automatic", AUTOMATIC], ...levels.reverse()];
  // at once, not from the next segment on: who chooses wants to see the difference
  offer(element("quality"), choices, AUTOMATIC, (number) => (hls.currentLevel = number));
}

function offerSounds(hls) {
  if (hls.audioTracks.length > 1) {
    const choices = hls.audioTracks.map(({ name }, number) => [name, number]);
    offer(element("sound"), choices, hls.audioTrack, (number) => (hls.audioTrack = number));
  }
}

/** Play a playlist; one that still grows from its beginning, not from where it has got to. */
function play(playlist, grows) {
  if (!Hls.isSupported()) {
    if (video.canPlayType(HLS_TYPE)) {
      video.src = playlist; // Safari plays HLS by itself, and chooses by itself
    } else {
      tellProblem("This browser cannot play HLS: it has no Media Source Extensions.");
    }
    return;
  }
  const hls = new Hls(grows ? { startPosition: 0 } : {});
  hls.on(Hls.Events.MANIFEST_PARSED, () => offerQualities(hls));
  hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => offerSounds(hls));
  hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => {
    element("playing").textContent = `Playing ${levelName(hls.levels[level])}`;
  });
  hls.on(Hls.Events.ERROR, (_, { fatal, type, details }) => {
    if (fatal) {
      tellProblem(`Playback stopped (${type}, ${details}): reload the page to try again.`);
    }
  });
  hls.loadSource(playlist);
  hls.attachMedia(video);
}

async function show(id) {
  const path = `/v1/videos/${encodeURIComponent(id)}`;
  document.title = `Video ${id}`;
  try {
    let described = await describe(path);
    if (!described.playlist) {
      await follow(path, (state) => state.playlist);
      described = await describe(path);
    }
    if (described.poster) {
      video.poster = described.poster;
    }
    play(described.playlist, !FINAL.has(described.status));
    if (!FINAL.has(described.status)) {
      await follow(path, (state) => state.status === "completed");
      described = await describe(path);
    }
    say(`Video ${id} is ${described.status}.`);
    if (described.storyboard) {
      showStoryboard(element("storyboard"), video, described.storyboard);
    }
  } catch (error) {
    say("");
    tellProblem(error.message);
  }
}

show(decodeURIComponent(location.pathname.split("/").at(-1)));
