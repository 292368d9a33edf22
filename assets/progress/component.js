// The lessons, with the answers that this browser remembers. New answers come from Python; they are
// kept in the browser's own storage and nowhere else.

const STORE = "prunescope-lessons";

export default function (component) {
  const { parentElement: root, data } = component;
  const answers = merge(load(), data.answers);
  save(answers);
  const list = root.querySelector(".lessons");
  list.replaceChildren(...data.lessons.map((lesson) => entryOf(component, lesson, answers)));
  writeTotal(root, data, answers);
  root.querySelector(".forget").onclick = () => {
    save({});
    component.setTriggerValue("forgotten", true);
  };
}

function load() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORE) ?? "{}");
    return stored && typeof stored === "object" ? stored : {};
  } catch {
    return {};  // the storage is blocked, or holds something else
  }
}

function save(answers) {
  try {
    localStorage.setItem(STORE, JSON.stringify(answers));
  } catch {
    // the storage is blocked: the answers of this visit are still shown
  }
}

// The first answer to a question counts.
function merge(stored, latest) {
  const merged = { ...stored };
  for (const [lesson, results] of Object.entries(latest)) {
    merged[lesson] = { ...results, ...merged[lesson] };
  }
  return merged;
}

function scoreOf(lesson, answers) {
  const results = Object.values(answers[lesson.name] ?? {});
  return { answered: results.length, right: results.filter((isRight) => isRight === true).length };
}

function entryOf(component, lesson, answers) {
  const { answered, right } = scoreOf(lesson, answers);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "lesson";
  button.title = lesson.idea;
  if (lesson.name === component.data.current) button.setAttribute("aria-current", "page");
  const isDone = answered >= lesson.questions;
  const texts = [`${lesson.number}.`, lesson.title, answered ? `${right} of ${lesson.questions}${isDone ? " \u2713" : ""}` : ""];
  for (const [index, text] of texts.entries()) {
    const part = document.createElement("span");
    part.textContent = text;
    if (index === 2) part.className = "score";
    button.append(part);
  }
  if (component.data.with_ideas) {
    const idea = document.createElement("span");
    idea.className = "idea";
    idea.textContent = lesson.idea;
    button.append(idea);
  }
  button.addEventListener("click", () => component.setTriggerValue("lesson", lesson.name));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function writeTotal(root, data, answers) {
  let questions = 0, answered = 0, right = 0;
  for (const lesson of data.lessons) {
    const score = scoreOf(lesson, answers);
    questions += lesson.questions;
    answered += score.answered;
    right += score.right;
  }
  root.querySelector(".total").textContent = answered
    ? `${answered} of ${questions} questions answered, ${right} right at the first attempt.`
    : `${questions} questions in ${data.lessons.length} lessons. Answers are stored in this browser only.`;
}
