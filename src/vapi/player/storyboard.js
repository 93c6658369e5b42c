// The storyboard: a row of small pictures; each one seeks to where it was taken.

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Return a button that shows a cue's rectangle of its sprite; null when it names none. */
function scene(cue, base, video) {
  const picture = new URL(cue.text, base);
  const area = /^#xywh=(\d+),(\d+),(\d+),(\d+)$/.exec(picture.hash);
  if (!area) {
    return null;
  }
  const [x, y, width, height] = area.slice(1).map(Number);
  picture.hash = "";
  const button = document.createElement("button");
  button.type = "button";
  button.title = clock(cue.startTime);
  button.setAttribute("aria-label", `Go to ${clock(cue.startTime)}`);
  button.style.width = `${width}px`;
  button.style.height = `${height}px`;
  button.style.background = `url("${picture.href}") -${x}px -${y}px`;
  button.addEventListener("click", () => (video.currentTime = cue.startTime));
  return button;
}

/** Fill `row` with the scenes that the WebVTT file at `url` names, when it has been read. */
export function showStoryboard(row, video, url) {
  const track = document.createElement("track");
  track.kind = "metadata";
  track.src = url;
  track.addEventListener("load", () => {
    const base = new URL(url, location.href);
    const scenes = Array.from(track.track.cues, (cue) => scene(cue, base, video));
    row.replaceChildren(...scenes.filter(Boolean));
  });
  video.append(track);
  track.track.mode = "hidden"; // only then the browser reads it
}
