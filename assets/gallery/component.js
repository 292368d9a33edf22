// Small images that can be chosen, each a button with a text below it.

export default function (component) {
  const gallery = component.parentElement.querySelector(".gallery");
  const tiles = component.data.tiles.map((tile) => tileOf(component, tile));
  gallery.replaceChildren(...tiles);
}

function tileOf(component, tile) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = tile.text;
  button.setAttribute("aria-label", tile.text);
  const image = document.createElement("img");
  image.src = tile.source;
  image.alt = "";
  const label = document.createElement("span");
  label.textContent = tile.label;
  button.append(image, label);
  button.addEventListener("click", () => component.setTriggerValue("chosen", tile.index));
  const item = document.createElement("div");
  item.setAttribute("role", "listitem");
  item.append(button);
  return item;
}
