"""Three organisations. Much is the same in all of them on purpose: SKUs, order numbers, project keys, a customer."""

from __future__ import annotations

from dataclasses import dataclass

#: A buyer of all three, under the same address: one row in each, and none knows of the others.
COMMON_CUSTOMER = ("Northwind Trading", "orders@northwind.example", "Rotterdam", "Netherlands")

#: Works for acme and for globex: one login, two memberships.
FREELANCER = ("Sam", "Carter", "sam@carter.example")

OPERATOR = ("Olga", "Operator", "operator@workbench.example")


@dataclass(frozen=True)
class Plan:
    """A project: key, name, description, tasks in the order in which they are done."""

    key: str
    name: str
    description: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Company:
    """A tenant with what it has. `products` are SKU, name, description and price."""

    slug: str
    name: str
    plan: str
    color: str
    claim: str
    people: tuple[tuple[str, str], ...]
    projects: tuple[Plan, ...]
    products: tuple[tuple[str, str, str, str], ...]
    customers: int
    orders: int
    isolation: str = "row"

    @property
    def admin_email(self) -> str:
        """The address of the first of its people, who manages it."""
        return self.email(*self.people[0])

    def email(self, first: str, last: str) -> str:
        """The address of one of its people."""
        return f"{first}@{self.slug}.example".lower()


ACME = Company(
    slug="acme",
    name="Acme Tools",
    plan="pro",
    color="#c2410c",
    claim="Hand tools that outlive the workshop, since 1911.",
    people=(
        ("Ada", "Brenner"),
        ("Milan", "Novak"),
        ("Ingrid", "Solberg"),
        ("Tom", "Okafor"),
        ("Lucia", "Ferrari"),
        ("Jonas", "Weber"),
    ),
    projects=(
        Plan(
            "WEB",
            "Website relaunch",
            "The new shop goes live before the trade fair: faster, in three languages, with spare parts.",
            (
                "Collect what customers ask the hotline",
                "Choose the photographer for the hand planes",
                "Write the product texts for chisels",
                "Translate the product texts into French",
                "Connect the stock levels",
                "Try the checkout with ten customers",
                "Redirect the old addresses",
                "Tell the dealers about the date",
                "Check the imprint and the privacy notice",
                "Go live",
            ),
        ),
        Plan(
            "WHS",
            "Warehouse move to Linz",
            "Twelve thousand places, one weekend, no order late.",
            (
                "Measure the high racks",
                "Agree on the date with the carrier",
                "Count the stock before the move",
                "Print labels for all places",
                "Move slow sellers first",
                "Train the new colleagues on the scanners",
                "Hand over the old hall",
            ),
        ),
        Plan(
            "CAT",
            "Spring catalogue",
            "120 pages, and for the first time with the repair service.",
            (
                "Settle the prices for spring",
                "Order paper samples",
                "Photograph the saws",
                "Proofread pages 1 to 60",
                "Proofread pages 61 to 120",
                "Send to the printer",
            ),
        ),
        Plan(
            "RET",
            "Returns below two per cent",
            "Find out why files and rasps come back, and stop it.",
            (
                "Read the last two hundred return slips",
                "Try a stiffer box for files",
                "Ask three dealers for their view",
                "Show the cut of each file in the shop",
                "Compare the numbers after a month",
            ),
        ),
        Plan(
            "FAIR",
            "Trade fair in Cologne",
            "Hall 7, 48 square metres, a working bench to try everything.",
            (
                "Book the stand",
                "Plan the bench for visitors",
                "Invite the fifty best customers",
                "Reserve rooms for the team",
                "Make the price list for visitors",
            ),
        ),
    ),
    products=(
        ("PLN-100", "Smoothing plane No. 4", "Cast iron, 50 mm blade", "129.00"),
        ("PLN-110", "Jack plane No. 5", "Cast iron, 50 mm blade", "149.00"),
        ("PLN-120", "Block plane, low angle", "Bronze body, 35 mm blade", "98.50"),
        ("CHI-200", "Bench chisel, 6 mm", "Ash handle", "27.90"),
        ("CHI-210", "Bench chisel, 12 mm", "Ash handle", "29.90"),
        ("CHI-220", "Bench chisel, 25 mm", "Ash handle", "33.90"),
        ("CHI-290", "Set of six chisels", "6 to 32 mm, in a roll", "169.00"),
        ("SAW-300", "Dovetail saw", "15 teeth per inch, brass back", "84.00"),
        ("SAW-310", "Tenon saw", "12 teeth per inch, brass back", "96.00"),
        ("SAW-320", "Japanese pull saw", "Two rows of teeth, 240 mm", "46.50"),
        ("HAM-400", "Joiner's hammer, 300 g", "Hickory handle", "24.90"),
        ("HAM-410", "Wooden mallet", "Beech, 600 g", "22.50"),
        ("FIL-500", "Flat file, second cut", "250 mm", "18.40"),
        ("FIL-510", "Half-round rasp", "Hand-cut, 225 mm", "72.00"),
        ("MEA-600", "Engineer's square, 150 mm", "DIN 875/1", "31.20"),
        ("MEA-610", "Marking gauge", "Beech and brass", "26.80"),
        ("SHP-700", "Water stone 1000/6000", "With wooden base", "58.00"),
        ("KIT-100", "Starter kit", "Plane, saw, three chisels, square", "289.00"),
    ),
    customers=64,
    orders=150,
)

GLOBEX = Company(
    slug="globex",
    name="Globex Energy",
    plan="business",
    color="#15803d",
    claim="Sun on the roof, warmth in the house.",
    people=(("Greta", "Lind"), ("Pavel", "Horak"), ("Nadia", "Benali"), ("Owen", "Price")),
    projects=(
        Plan(
            "WEB",
            "Customer portal",
            "Owners see what their roof produced yesterday, and book a service themselves.",
            (
                "Interview eight owners",
                "Draw the yield chart",
                "Agree on the interface of the inverters",
                "Sign in with a code by e-mail",
                "Pilot with twenty houses",
                "Write the help pages",
            ),
        ),
        Plan(
            "HP2",
            "Second heat pump line",
            "Quieter than 45 dB at three metres, for terraced houses.",
            (
                "Measure the noise of the prototype",
                "Choose the compressor",
                "Apply for the subsidy list",
                "Build five for the field test",
                "Write the manual for installers",
            ),
        ),
        Plan(
            "SCH",
            "Solar roofs for four schools",
            "Together with the city: 380 kWp before the summer holidays.",
            (
                "Check the statics of the gym roofs",
                "Order 912 modules",
                "Plan the scaffolding in the holidays",
                "Apply for the grid connection",
                "Train the caretakers",
            ),
        ),
    ),
    products=(
        ("PVM-430", "Solar module 430 W", "Glass on glass, black", "118.00"),
        ("PVM-450", "Solar module 450 W", "Bifacial", "131.00"),
        ("INV-800", "Hybrid inverter 8 kW", "Three phases", "1890.00"),
        ("INV-100", "Hybrid inverter 10 kW", "Three phases", "2190.00"),
        ("BAT-051", "Battery module 5.1 kWh", "LFP, stackable", "2340.00"),
        ("WBX-011", "Wallbox 11 kW", "Charges with surplus first", "649.00"),
        ("HPU-007", "Heat pump 7 kW", "Propane, outdoor unit", "6980.00"),
        ("HPU-012", "Heat pump 12 kW", "Propane, outdoor unit", "8450.00"),
        ("SVC-001", "Yearly service", "Inspection and cleaning", "189.00"),
        ("KIT-100", "Balcony kit", "Two modules, inverter, bracket", "489.00"),
    ),
    customers=38,
    orders=70,
    isolation="schema",
)

INITECH = Company(
    slug="initech",
    name="Initech Software",
    plan="free",
    color="#4338ca",
    claim="Accounting software for people who have other things to do.",
    people=(("Iris", "Tanaka"), ("Ben", "Adler"), ("Rosa", "Marin")),
    projects=(
        Plan(
            "WEB",
            "Sign-up in two minutes",
            "From the first click to the first invoice, without a call.",
            (
                "Watch five people sign up",
                "Drop the fields that nobody needs",
                "Example data on request",
                "Measure how many finish",
            ),
        ),
        Plan(
            "TAX",
            "New VAT rules",
            "In force on the first of January.",
            ("Read the law", "Change the report", "Test with three accountants", "Tell the customers"),
        ),
    ),
    products=(
        ("LIC-001", "Licence, one user", "One year", "228.00"),
        ("LIC-005", "Licence, five users", "One year", "890.00"),
        ("TRN-001", "Training day", "Up to eight people", "1250.00"),
        ("SUP-001", "Support, within four hours", "One year", "480.00"),
        ("KIT-100", "Start package", "Licence, data import, half a day of training", "990.00"),
    ),
    customers=17,
    orders=28,
    isolation="database",
)

COMPANIES = (ACME, GLOBEX, INITECH)
