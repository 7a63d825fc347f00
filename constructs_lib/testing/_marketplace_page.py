"""The page of the Marketplace stand-in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light dark; --page: #f3f4f6; --card: #fff; --text: #16191f; --quiet: #485260; --line: #d1d5db;
  --accent: #0a50c0; --on-accent: #fff; --notice: #fdf0c4; --on-notice: #4a3500; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171c; --card: #1f242c; --text: #e8eaed; --quiet: #b3bac5; --line: #3a414c;
    --accent: #8ab4f8; --on-accent: #10141a; --notice: #463a12; --on-notice: #fdf0c4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 68rem; margin: 0 auto; padding: 1rem; }
h1 { margin: .5rem 0; font-size: 1.6rem; line-height: 1.2; }
h2 { margin: 0; font-size: 1.15rem; line-height: 1.3; }
.notice { margin: 0; padding: .5rem .75rem; border-radius: .5rem; background: var(--notice); color: var(--on-notice); }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1rem; margin: 0;
  padding: 0; list-style: none; }
li { display: flex; flex-direction: column; gap: .75rem; padding: 1rem; border: 1px solid var(--line);
  border-radius: .75rem; background: var(--card); }
li p { margin: 0; }
dl { margin: 0; flex: 1; font-size: .9rem; }
dt { color: var(--quiet); }
dd { margin: 0 0 .5rem; overflow-wrap: anywhere; font-family: ui-monospace, monospace; }
button { width: 100%; min-height: 2.75rem; padding: .5rem 1rem; border: 0; border-radius: .5rem; font: inherit;
  font-weight: 600; background: var(--accent); color: var(--on-accent); cursor: pointer; }
button:hover { filter: brightness(1.1); }
button:focus-visible { outline: 3px solid var(--text); outline-offset: 2px; }
.life { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; font-size: .9rem; }
.life p { width: 100%; color: var(--quiet); }
.life button { width: auto; background: none; border: 1px solid var(--accent); color: var(--accent); }
.life input { width: 6rem; min-height: 2.75rem; padding: .5rem; border: 1px solid var(--quiet); border-radius: .5rem;
  font: inherit; background: none; color: inherit; }
input:focus-visible { outline: 3px solid var(--text); outline-offset: 2px; }
footer { color: var(--quiet); font-size: .9rem; overflow-wrap: anywhere; }
"""


STEP_PATH = "/step"
"""To which the buttons of a subscription's life post."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """A buyer's subscription, for the buttons of its next steps.

    Attributes:
        active: Whether the buyer is subscribed; None if they have never been.
        quantities: Dimension to quantity, now or in the offer.
    """

    active: bool | None
    quantities: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Card:
    """One offer on the page.

    Attributes:
        label: Describes the buyer.
        description: What to expect after the button is pressed.
        facts: What ResolveCustomer will return for the buyer.
        fields: The form's fields.
        life: The buyer's subscription, or None to show no buttons for it.
    """

    label: str
    description: str | None
    facts: Mapping[str, str]
    fields: Mapping[str, str]
    life: Life | None


def marketplace_page(fulfillment_url: str | None, cards: Sequence[Card]) -> str:
    """Return the page.

    Args:
        fulfillment_url: URL that the buttons post to, or None if it is not known yet.
        cards: The offers, in their order on the page.

    Returns:
        A complete HTML document that loads no other resource.
    """
    if fulfillment_url is None:
        content = (
            "<p>There is no fulfillment URL yet. Call <code>publish(fulfillment_url=…, offers=[…])</code> on the "
            "running stand-in, then reload this page.</p>"
        )
        footer = ""
    elif not cards:
        content = "<p>There is no offer yet. Name some in <code>publish(…)</code>, then reload this page.</p>"
        footer = ""
    else:
        content = (
            '<ul role="list">\n'
            + "\n".join(_item(fulfillment_url, number, card) for number, card in enumerate(cards, 1))
            + "\n</ul>"
        )
        footer = (
            f"<footer><p>The buttons post to <code>{escape(fulfillment_url)}</code>. Every button carries a "
            "registration token made when this page was loaded: reload it for fresh ones.</p></footer>"
        )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated AWS Marketplace</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>Simulated AWS Marketplace</h1>
<p class="notice">This page runs on this computer, for tests. It does not belong to AWS, and nothing can be bought.</p>
</header>
<main>
{content}
</main>
{footer}
</body>
</html>
"""


def _item(fulfillment_url: str, number: int, card: Card) -> str:
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in card.facts.items())
    fields = "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in card.fields.items()
    )
    description = f"<p>{escape(card.description)}</p>\n" if card.description else ""
    return f"""<li>
<h2 id="offer-{number}">{escape(card.label)}</h2>
{description}<dl>{facts}</dl>
<form method="post" action="{escape(fulfillment_url)}">
{fields}
<button type="submit" aria-describedby="offer-{number}">Set up your account</button>
</form>{_life(number, card.life) if card.life else ""}
</li>"""


def _life(number: int, life: Life) -> str:
    steps = _STEPS[life.active]
    inputs = "".join(
        f'<label>{escape(name)} <input type="number" name="quantity-{escape(name)}" value="{quantity}" min="0" '
        "required></label>\n"
        for name, quantity in life.quantities.items()
    )
    buttons = "\n".join(
        f'<button name="step" value="{step}" aria-describedby="offer-{number}">{label}</button>'
        for step, label in steps.items()
        if step != "change" or life.quantities
    )
    return f"""
<form method="post" action="{STEP_PATH}" class="life">
<input type="hidden" name="offer" value="{number}">
<p>{_STATES[life.active]}</p>
{inputs}{buttons}
</form>"""


_STATES = {None: "No License Updated yet", True: "License active", False: "License deprovisioned"}
_STEPS: Mapping[bool | None, Mapping[str, str]] = {
    None: {"subscribe": "Send License Updated"},
    True: {"change": "Change", "cancel": "Cancel"},
    False: {"resubscribe": "Subscribe again"},
}
