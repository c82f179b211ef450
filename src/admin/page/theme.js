// Light, dark, or as the system says. It runs before the first paint, so that nothing flashes.

const CHOICES = ["auto", "light", "dark"];

function chosen() {
  const kept = localStorage.getItem("theme");
  return CHOICES.includes(kept) ? kept : "auto";
}

function wear(theme) {
  document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event("themed"));
}

wear(chosen());

addEventListener("DOMContentLoaded", () => {
  const button = document.querySelector("#theme");
  const say = () => (button.textContent = `Theme: ${chosen()}`);
  button.addEventListener("click", () => {
    localStorage.setItem("theme", CHOICES[(CHOICES.indexOf(chosen()) + 1) % CHOICES.length]);
    wear(chosen());
    say();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => wear(chosen()));
  say();
});
