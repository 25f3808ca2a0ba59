from __future__ import annotations

import pytest

from impasto.cards import About, model_card

ARCHITECTURE = {"name": "a-design", "channels": 24}


def card(**training: object) -> str:
    return model_card("ink", About(perception="CC BY 4.0"), ARCHITECTURE, training)


def test_a_card_names_the_architecture_whatever_its_parameters() -> None:
    assert "- Transformer: name a-design, channels 24\n" in card()


@pytest.mark.parametrize(
    ("network", "told"),
    [("vgg19", "VGG-19"), ("compact", "Impasto's compact one, distilled from VGG-19"), ("other", "other")],
)
def test_a_card_names_the_perception_that_was_used(network: str, told: str) -> None:
    assert f"- Perception: {told}; CC BY 4.0\n" in card(perception={"network": network})


def test_a_card_tells_figures_where_there_are_any() -> None:
    assert "Figures" not in card(figures={"gold": {"style fraction": 0.2}})
    assert "- Figures: style fraction 0.1\n" in card(figures={"ink": {"style fraction": 0.1}})


def test_a_card_tells_what_a_training_began_with() -> None:
    before = {"step": 300, "seconds": 120, "perception": {"network": "compact"}, "recipe": {"crop": 192}}
    told = card(**{"from": {"file": "checkpoint.safetensors", "training": before}})
    assert "- Begun with: 300 steps by Impasto's compact one, distilled from VGG-19, 2 minutes; crop 192\n" in told
    first = {"step": 100, "perception": {"network": "vgg19"}}
    told = card(**{"from": {"training": {**before, "from": {"training": first}}}})
    assert told.index("- Begun with: 300 steps") < told.index("- Begun with: 100 steps by VGG-19")
    assert "Begun with" not in card()
