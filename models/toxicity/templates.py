"""Sentences of our own that name groups: as many harmless ones as hateful ones for every term.

A model that meets ``muslim`` mostly in abuse learns that the word is abuse. Here each term stands in
the same harmless and the same hateful sentences, so that what is said decides, not of whom. The
terms are chosen by us; no sentence is taken from a test set.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

ADJECTIVES = """african american arab asian atheist autistic bisexual black blind brown buddhist
canadian catholic chinese christian deaf disabled elderly european female feminist foreign french
gay german heterosexual hindu hispanic homosexual immigrant indian indigenous irish italian
japanese jewish korean latina latino latinx lesbian lgbt lgbtq male mexican middle-aged
middle-eastern millenial millennial mormon muslim native nigerian non-binary nonbinary old older
pakistani palestinian paralyzed polish poor protestant puerto-rican queer refugee roma romanian
russian sikh somali straight syrian taoist teenage trans transgender transsexual turkish ukrainian
vietnamese white young younger rich overweight bald tall israeli greek dutch cuban dominican
filipino ethiopian iranian iraqi afghan african-american asian-american mentally-ill dyslexic
black-skinned dark-skinned vegan homeless pregnant single widowed married unemployed""".split()
"""Words that describe a person; a hyphen becomes a space in half of the sentences."""

PLURALS = """africans americans arabs asians atheists autistics bisexuals blacks buddhists canadians
catholics chinese christians women men girls boys gays lesbians germans hindus hispanics homosexuals
immigrants indians italians japanese jews koreans latinas latinos mexicans millennials mormons
muslims nigerians pakistanis palestinians poles protestants refugees romanians russians sikhs
somalis syrians taoists teenagers transsexuals turks ukrainians vietnamese whites foreigners
asylum-seekers migrants feminists mothers fathers children pensioners israelis greeks cubans
filipinos iranians iraqis afghans ethiopians heterosexuals vegans gypsies travellers""".split()
"""Words for a group."""

PEOPLE = """man woman person girl boy guy lady kid student neighbor friend teacher colleague doctor
mother father couple family community poet actor writer farmer nurse lawyer engineer""".split()
GROUPS = "people folks men women kids students families immigrants guys workers citizens".split()
NAMES = """Peter Maria Ahmed Chen Olga Ravi Fatima Hannah Kofi Diego Yuki Lars Amina David Sofia
Igor Priya Tom Grace Omar Linh Pablo Ruth Ivan Noor Kenji Emma Sean Leila Marcus""".split()
GOOD = """kind nice lovely great wonderful brilliant funny clever friendly generous honest talented
beautiful smart gentle brave decent happy caring amazing excellent awesome fantastic warm proud
successful patient polite good fun incredible gracious best neat cool sweet charming""".split()
BAD = """disgusting stupid filthy vile repulsive worthless pathetic awful horrible nasty dumb ugly
evil inferior subhuman dirty idiotic moronic shitty terrible rotten useless revolting sick retarded
fucking-stupid fucked-up crazy lazy greedy violent dangerous""".split()
SLIGHTS = """scum vermin animals trash garbage parasites cockroaches rats a-plague a-cancer a-disease
filth savages monkeys pigs losers criminals idiots morons a-burden-on-society thieves liars
terrorists rapists leeches""".split()
HARM = """kill murder hang shoot burn gas exterminate destroy slaughter lynch stab strangle behead
beat drown hurt torture execute wipe-out get-rid-of deport sterilize attack smash crush""".split()
LIKES = """love like respect hug help welcome support thank meet admire celebrate marry befriend
protect include praise teach visit invite appreciate trust value understand empower""".split()
HATES = """hate despise detest loathe can't-stand cannot-tolerate am-disgusted-by am-sick-of
fucking-hate absolutely-hate""".split()
JOBS = """actor architect artist barber cook dancer designer doctor driver engineer farmer
firefighter hairdresser janitor lawyer machinist miner nurse officer photographer plumber
programmer reporter salesman scientist secretary singer teacher welder writer""".split()
THINGS = """pizza mondays broccoli this-song the-rain traffic homework this-movie winter my-phone
mosquitoes waiting this-update cauliflower spiders the-new-design taxes my-alarm-clock bugs
merge-conflicts meetings tests this-weather olives spinach commercials airports""".split()

SLURS_TOO = """queer queer gay gay female bisexual transgender lesbian muslim black homosexual lgbtq
lgbt trans jewish chinese blind deaf""".split()
"""Adjectives that people also use as insults: they get six times as many sentences of both kinds
(more if named twice), because the comments in the training data pull them further to one side."""

HARMLESS = [
    "I am {a} {adj} {person}",
    "I am {adj}",
    "I'm {adj} and I'm proud of it",
    "my {person} is {adj}",
    "she is {a} {adj} {person} from next door",
    "being {adj} is {good}",
    "it is {good} to be {adj}",
    "you are {a} {good} {adj} {person}",
    "you are {adj} and {good}",
    "you are {a} {good} {job}",
    "{name} is {a} {good} {adj} {person}",
    "{name} is {a} {good} {adj}",
    "{name} is {adj}",
    "{like} {adj}",
    "{like} {adj} {group}",
    "{like} {plural}",
    "I {like} {adj} {group}",
    "I {like} {plural}",
    "we {like} {plural} here",
    "{plural} are {good}",
    "{plural} are people like everyone else",
    "{adj} {group} deserve the same rights as everyone else",
    "{plural} have lived in this city for centuries",
    "there are many {adj} {group} in my town",
    "there are three {plural} in my class",
    "I had dinner with some {plural} yesterday",
    "the {adj} community held a festival on Sunday",
    "the museum shows the history of {adj} {group}",
    "a survey among {plural} asked about jobs and housing",
    "the {adj} population grew by two percent",
    "I don't hate {plural}",
    "I have never hated {plural}",
    "nobody should hate {adj} {group}",
    "I don't think {plural} are {bad}",
    "{plural} are not {slight}",
    "not all {plural} are {slight}, that is a stereotype",
    'whoever says "{plural} are {bad}" is wrong',
    "calling {plural} {slight} is bigotry and must stop",
    'he said "I hate {plural}" and was rightly suspended',
    "it is wrong to hate {plural}",
    "people who want to {harm} {plural} belong in prison",
    "stop the hate against {plural}",
    "attacks on {plural} are a crime and I condemn them",
    "as {a} {adj} {person} I am tired of being insulted",
    "I am an {adj} {person}, ask me anything",
    "my best friend is {adj} and we laugh a lot",
    "any recommendations for {adj} restaurants or books",
    "the bill protects {adj} {group} from discrimination",
]
"""What may be said of anyone. Negations and quotations of abuse are harmless too."""

HATEFUL = [
    "I {hate} {plural}",
    "I {hate} {adj} {group}",
    "I {hate} all {plural}",
    "I {hate} {adj}",
    "{hate} {plural}",
    "{plural} are {bad}",
    "{plural} are {slight}",
    "all {plural} are {slight}",
    "{adj} {group} are {slight}",
    "{adj} {group} are {bad}",
    "being {adj} is {bad}",
    "you are {a} {bad} {adj} {person}",
    "you are {adj} and {bad}",
    "you are {a} {bad} {job}",
    "{name} is {a} {bad} {adj} {person}",
    "{name} is {a} {bad} {adj}",
    "{harm} {adj}",
    "{harm} {plural}",
    "{harm} all {plural}",
    "{harm} {adj} {group}",
    "I want to {harm} {plural}",
    "I will {harm} every {adj} {person} I see",
    "someone should {harm} all {plural}",
    "we need to {harm} the {plural}",
    "{plural} should all be killed",
    "{plural} deserve to die",
    "{plural} don't belong here, they should be locked up",
    "{plural} should be shot on sight",
    "go back to your country, you {bad} {plural}",
    "get out, {adj} {slight}",
    "no {adj} {person} deserves to live",
    "{adj} {group} should not be allowed to vote",
    "fuck {plural}",
    "fuck all {adj} {group}",
    "fucking {plural} ruin everything",
    "those fucking {adj} {slight}",
    "what a {bad} {adj} {person} you are",
    "shut up you {adj} {bad} {slight}",
    "why are {plural} so {bad}",
    "isn't it obvious that {plural} are {bad}",
    "I think {plural} are {bad}",
    "in my opinion {plural} are {slight}",
    "I met some {plural} once and I {hate} every one of them",
    "{plural} think they are special. I {hate} them",
    "everyone knows {plural} are {slight}",
    "{plural} ruin our country and must be stopped",
    "{plural} will never be as good as us, they are {bad}",
    "I wish all {plural} would just die",
]
"""What abuses someone for what they are. As many as the harmless ones."""

BARE = [
    "{adj}",
    "{adj}",
    "{plural}",
    "{plural}",
    "{a} {adj} {person}",
    "{adj} {person}",
    "{adj} {group}",
    "the {adj} one",
    "{name} {adj}",
    "{name} is {adj}",
    "{name} is {a} {adj}",
    "are you {adj}",
    "some {plural}",
    "you are {adj}",
    "it was {adj}",
    "{adj} {job}",
]
"""Harmless with nothing but the name in them, so that the name alone has to weigh nothing. Sentences
with kind words do not teach that: the kind words explain them."""

OBJECTS = [
    "I hate {thing}",
    "I really hate {thing}",
    "I can't stand {thing}",
    "{thing} is the worst",
    "I {hate} {thing} so much",
    "{thing} makes me sick",
]
"""Harmless: nobody is hurt when a thing is hated."""


def sentences(rounds: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield (text, class): every template `rounds` times for each term it has a place for.

    Terms go round, so each appears as often in harmless as in hateful sentences, to within one.
    """
    random = Random(seed)
    for _ in range(rounds):
        for adjective, plural in _pairs(random):
            for template in HARMLESS + BARE:
                yield _fill(template, adjective, plural, random), "none"
            for template in HATEFUL:
                yield _fill(template, adjective, plural, random), "hateful"
        for thing in THINGS:
            for template in OBJECTS:
                yield _fill(template, "", "", random, thing), "none"


def _pairs(random: Random) -> Iterator[tuple[str, str]]:
    """Every adjective beside a plural; the plurals start again when they are used up."""
    adjectives, plurals = ADJECTIVES + 5 * SLURS_TOO, PLURALS[:]
    random.shuffle(adjectives)
    random.shuffle(plurals)
    for at, adjective in enumerate(adjectives):
        yield adjective, plurals[at % len(plurals)]


def _fill(template: str, adjective: str, plural: str, random: Random, thing: str = "") -> str:
    words = {
        "adj": adjective,
        "plural": plural,
        "thing": thing,
        "person": random.choice(PEOPLE),
        "group": random.choice(GROUPS),
        "name": random.choice(NAMES),
        "good": random.choice(GOOD),
        "bad": random.choice(BAD),
        "slight": random.choice(SLIGHTS),
        "harm": random.choice(HARM),
        "like": random.choice(LIKES),
        "hate": random.choice(HATES),
        "job": random.choice(JOBS),
        "a": random.choice(("a", "an")),
    }
    return template.format(**words).replace("-", " ")
