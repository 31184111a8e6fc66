"""The words of the demo shop: departments, their categories, brands, and titles that a person can read."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from paretail.core.ids import Rows


@dataclass(frozen=True)
class Leaf:
    """A category: its things, the median price in euros and, for what is used up, the days until it is bought again."""

    name: str
    things: tuple[str, ...]
    price: float
    cycle_days: float | None = None


@dataclass(frozen=True)
class Department:
    """Categories that share brands and the words put before a thing."""

    name: str
    brands: tuple[str, ...]
    manners: tuple[str, ...]
    leaves: tuple[Leaf, ...]


DEPARTMENTS: Final = (
    Department(
        "Kitchen", ("Fennhaus", "Copperline", "Ardo", "Table & Salt", "Brackwell"),
        ("Steel", "Cast-iron", "Ceramic", "Oak", "Compact", "Everyday", "Copper", "Enamel"),
        (
            Leaf("Pans", ("Frying Pan", "Saucepan", "Wok", "Casserole"), 45),
            Leaf("Knives", ("Chef's Knife", "Bread Knife", "Paring Knife", "Knife Block"), 38),
            Leaf("Coffee makers", ("Moka Pot", "French Press", "Pour-over Set", "Coffee Grinder"), 55),
            Leaf("Tableware", ("Dinner Plates", "Bowl Set", "Mugs", "Wine Glasses"), 24),
            Leaf("Storage", ("Spice Rack", "Bread Bin", "Jar Set", "Lunch Box"), 18),
        ),
    ),
    Department(
        "Food and drink", ("Harvest Row", "Monte Alba", "Little Mill", "Nordbean", "Green Crate"),
        ("Organic", "Dark", "Smoked", "Whole", "Single-origin", "Wild", "Mild", "Classic"),
        (
            Leaf("Coffee", ("Espresso Beans", "Filter Coffee", "Ground Coffee", "Decaf Beans"), 11, 18),
            Leaf("Tea", ("Green Tea", "Earl Grey", "Herbal Tea", "Rooibos"), 7, 24),
            Leaf("Chocolate", ("Chocolate Bar", "Pralines", "Cocoa Powder", "Truffles"), 6, 16),
            Leaf("Pasta and rice", ("Spaghetti", "Penne", "Basmati Rice", "Risotto Rice"), 4, 20),
            Leaf("Oils and spices", ("Olive Oil", "Paprika", "Peppercorns", "Sea Salt"), 9, 32),
        ),
    ),
    Department(
        "Garden", ("Rootwell", "Hedgerow", "Verdano", "Spade & Co", "Lindholm"),
        ("Sturdy", "Folding", "Terracotta", "Galvanised", "Teak", "Rustic", "Slim", "Large"),
        (
            Leaf("Tools", ("Secateurs", "Hand Trowel", "Rake", "Garden Fork"), 22),
            Leaf("Pots", ("Planter", "Window Box", "Hanging Basket", "Flower Pot"), 16),
            Leaf("Seeds", ("Tomato Seeds", "Basil Seeds", "Wildflower Mix", "Lettuce Seeds"), 4, 35),
            Leaf("Furniture", ("Garden Chair", "Bistro Table", "Bench", "Parasol"), 89),
            Leaf("Lighting", ("Solar Lamp", "String Lights", "Lantern", "Path Light"), 27),
        ),
    ),
    Department(
        "Sports", ("Kestrel", "Northpace", "Alpkin", "Runa", "Basecamp Nine"),
        ("Light", "Trail", "Pro", "Winter", "Reflective", "Padded", "Waterproof", "Stretch"),
        (
            Leaf("Running", ("Running Shoes", "Running Jacket", "Running Belt", "Running Socks"), 62),
            Leaf("Hiking", ("Rucksack", "Hiking Boots", "Trekking Poles", "Water Bottle"), 74),
            Leaf("Yoga", ("Yoga Mat", "Yoga Block", "Resistance Band", "Bolster"), 26),
            Leaf("Cycling", ("Bike Helmet", "Bike Light", "Cycling Gloves", "Pannier"), 41),
            Leaf("Nutrition", ("Energy Bars", "Protein Powder", "Electrolyte Tabs", "Muesli"), 15, 21),
        ),
    ),
    Department(
        "Beauty", ("Aurelle", "Saltmarsh", "Botanica", "Mira Lund", "Plain Jar"),
        ("Gentle", "Hydrating", "Unscented", "Rose", "Aloe", "Sea-mineral", "Nourishing", "Matte"),
        (
            Leaf("Skin care", ("Day Cream", "Face Serum", "Cleanser", "Night Cream"), 19, 38),
            Leaf("Hair care", ("Shampoo", "Conditioner", "Hair Mask", "Hair Oil"), 11, 30),
            Leaf("Make-up", ("Lipstick", "Mascara", "Foundation", "Eyeliner"), 16),
            Leaf("Shaving", ("Safety Razor", "Shaving Foam", "Razor Blades", "Beard Oil"), 13, 34),
            Leaf("Fragrance", ("Eau de Parfum", "Body Mist", "Cologne", "Scented Soap"), 42),
        ),
    ),
    Department(
        "Books and games", ("Paper Fox", "Harrow Press", "Dicewright", "Quill & Key", "Tall Stories"),
        ("Illustrated", "Pocket", "Collector's", "Family", "Beginner's", "Deluxe", "Travel", "Classic"),
        (
            Leaf("Cookbooks", ("Baking Book", "Vegetable Cookbook", "Pasta Book", "Bread Book"), 25),
            Leaf("Crime", ("Detective Novel", "Thriller", "Cosy Mystery", "Spy Novel"), 12),
            Leaf("Children's books", ("Picture Book", "Bedtime Stories", "Activity Book", "First Reader"), 10),
            Leaf("Board games", ("Strategy Game", "Party Game", "Card Game", "Puzzle"), 33),
            Leaf("Craft", ("Sketchbook", "Watercolour Set", "Knitting Kit", "Origami Set"), 17),
        ),
    ),
    Department(
        "Pets", ("Paws & Whisk", "Barkley", "Felina", "Happy Tail", "Wildbowl"),
        ("Grain-free", "Chewy", "Soft", "Senior", "Puppy", "Natural", "Sturdy", "Small-breed"),
        (
            Leaf("Dog food", ("Dry Dog Food", "Wet Dog Food", "Dog Treats", "Chew Sticks"), 21, 22),
            Leaf("Cat food", ("Dry Cat Food", "Wet Cat Food", "Cat Treats", "Kitten Food"), 17, 20),
            Leaf("Cat litter", ("Clumping Litter", "Wood Litter", "Silica Litter", "Litter Liners"), 14, 25),
            Leaf("Beds", ("Dog Bed", "Cat Cushion", "Pet Blanket", "Cat Cave"), 39),
            Leaf("Toys", ("Rope Toy", "Feather Wand", "Squeaky Ball", "Puzzle Feeder"), 9),
        ),
    ),
    Department(
        "Home office", ("Linea", "Deskwise", "Monolog", "Papierhaus", "Quietworks"),
        ("Ergonomic", "Adjustable", "Bamboo", "Wireless", "Slim", "Felt", "Recycled", "Foldable"),
        (
            Leaf("Desks", ("Standing Desk", "Writing Desk", "Laptop Table", "Desk Riser"), 180),
            Leaf("Chairs", ("Desk Chair", "Footrest", "Seat Cushion", "Kneeling Chair"), 120),
            Leaf("Stationery", ("Notebook", "Gel Pens", "Sticky Notes", "Printer Paper"), 7, 40),
            Leaf("Lamps", ("Desk Lamp", "Clip Lamp", "Floor Lamp", "Light Bulb"), 44),
            Leaf("Sound", ("Headphones", "Speaker", "Webcam Microphone", "Ear Plugs"), 68),
        ),
    ),
)  # fmt: skip
LEAVES: Final = tuple((department, leaf) for department in DEPARTMENTS for leaf in department.leaves)
_EDITIONS: Final = ("", " Mini", " Plus", " Duo", " XL", " No. 2", " Set", " Classic", " No. 3", " Studio")


def titles(leaf: Rows, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return title and brand of each item of the categories `leaf[items]`; titles are unique."""
    brand = [_one(LEAVES[row][0].brands, rng) for row in leaf]
    made: dict[str, int] = {}
    named = []
    for row, maker in zip(leaf, brand, strict=True):
        base = f"{maker} {_one(LEAVES[row][0].manners, rng)} {_one(LEAVES[row][1].things, rng)}"
        made[base] = made.get(base, -1) + 1
        named.append(base + _edition(made[base]))
    return named, brand


def _one(words: tuple[str, ...], rng: np.random.Generator) -> str:
    return words[int(len(words) * rng.random())]


def _edition(again: int) -> str:
    """Tell apart the items that drew the same words: none, a name, then a number."""
    return _EDITIONS[again] if again < len(_EDITIONS) else f" No. {again - 5}"
