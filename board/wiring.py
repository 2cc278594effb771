#!/usr/bin/env python3
"""Draws how a box is wired, from its board's file.

    board/wiring.py BOARD.conf > WIRING.svg

What the board's file says is drawn and nothing else decides where a wire goes, so
the drawing cannot say anything but the file. Names of buttons come from the default
scheme. The parts that no board's file names (a clock, a switch to power off, the
microphone) are those of board/README.md, on pins that the file must leave free.

The header is seen from above, the SD card at the top: odd pins on the left, even
ones at the board's edge. Each wire goes out on its pin's side; a part is moved up or
down only as far as its neighbours need, so wires keep their order and never cross.
"""
import configparser
import os
import sys
from html import escape

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEME = os.path.join(HERE, "../app/scheme/default.scheme")

# the 40 pins, by the Raspberry Pi's manual; a number is a GPIO
HEADER = ["3.3 V", "5 V", 2, "5 V", 3, "ground", 4, 14, "ground", 15, 17, 18, 27, "ground", 22, 23,
	"3.3 V", 24, 10, "ground", 9, 25, 11, 8, "ground", 7, "ID", "ID", 5, "ground", 6, 12, 13,
	"ground", 19, 16, 26, 20, "ground", 21]
POWER_OFF_GPIO = 27
CLOCK = {"VCC": 1, "SDA": 3, "SCL": 5, "GND": 9} # a DS3231
I2S = {"3V": 17, "SCK": 12, "WS": 35, "SD": 38, "L/R": 25, "GND": 25}
MOTOR_PLUS_PIN = 2

WIDTH, HEIGHT = 1240, 900
TOP, PITCH = 128, 34 # of the first row of pins, and from row to row
LEFT, RIGHT = 548, 692 # the two columns of pins
GROUND = {"l": 76, "r": 1164} # a wire down each side
GROUND_PIN = {"l": 39, "r": 6}
NEAR = {"l": 352, "r": 888} # where a part begins; it ends at the ground
GAP = 52 # between parts

INK, QUIET, HAIR = "#1a1a1a", "#6b6b6b", "#b5b5b5"
WIRES = {"1": "#1f5fa8", "2": "#7b3fa0", "3": "#0b7a75", "4": "#7a4a1e", "5": "#38618c",
	"mute": "#a3246b", "red": "#c8102e", "green": "#1a7f37", "amber": "#c07000",
	"vibration": "#5f6b00", "power off": "#444444"}
OTHERS = ["#1f5fa8", "#7b3fa0", "#0b7a75", "#7a4a1e"]
SUPPLY, DATA, CLOCKS = "#d0342c", "#0b7a75", "#7b3fa0"


class Wrong(Exception):
	"""The board's file cannot be drawn; the message says why."""


# --- what there is to draw ---

def read(path):
	parser = configparser.ConfigParser(inline_comment_prefixes=(" ;", ";"), interpolation=None,
		comment_prefixes=("#", ";"))
	parser.optionxform = str
	with open(path, encoding="utf-8") as file:
		parser.read_file(file)
	return parser


def pin_of(line, where):
	"""The pin of a line's name."""
	number = line.removeprefix("GPIO")
	if not line.startswith("GPIO") or not number.isdigit() or int(number) not in HEADER:
		raise Wrong(f"{where}: {line} is no pin of the header (GPIO2 to GPIO27)")
	return HEADER.index(int(number)) + 1


def titles():
	"""button's name -> what people read, by the default scheme."""
	scheme = read(SCHEME)
	found = {}
	for section in scheme.sections():
		if section.startswith("code ") and scheme.has_option(section, "button"):
			found[scheme[section]["button"]] = scheme[section].get("title", section[5:])
	return found


def parts(board):
	"""(kind, name, what people read, pin), each pin once."""
	names = titles()
	taken = {}
	for section in ("buttons", "lamps"):
		if board["board"].get(section) != "gpio":
			raise Wrong(f"[board] {section}: only gpio {section} have wires to draw")
		for name, line in board[section].items():
			pin = pin_of(line, f"[{section}] {name}")
			if pin in taken:
				raise Wrong(f"[{section}] {name}: pin {pin} is {taken[pin][1]}'s")
			kind = "lamp" if section == "lamps" else "button"
			text = names.get(name, name)
			if section == "buttons" and name == "mute":
				kind, text = "switch", "Mute switch"
			elif section == "lamps" and name == "vibration":
				kind, text = "motor", "Vibration"
			elif section == "lamps":
				text = f"{name.capitalize()} lamp"
			taken[pin] = (kind, name, text, pin)
	pin = HEADER.index(POWER_OFF_GPIO) + 1
	extra = {pin: "the power-off button", CLOCK["SDA"]: "the clock", CLOCK["SCL"]: "the clock"}
	if is_i2s(board):
		extra.update({I2S[name]: "the microphone" for name in ("SCK", "WS", "SD")})
	for number, whose in extra.items():
		if number in taken:
			raise Wrong(f"{taken[number][1]}: pin {number} is {whose}'s")
	taken[pin] = ("button", "power off", "Power off", pin)
	return [taken[pin] for pin in sorted(taken)]


def is_i2s(board):
	return board["microphone"].get("card", "") == "chalkboxmic"


# --- where it goes ---

def side(pin):
	return "l" if pin % 2 else "r"


def row_y(pin):
	return TOP + (pin - 1) // 2 * PITCH


def mean(block):
	return block[0] / block[1]


def spread(wanted, low, high):
	"""The nearest places to those wanted, GAP apart, between low and high."""
	blocks = [] # [sum of (place - i * GAP), how many]
	for i, place in enumerate(wanted):
		blocks.append([place - i * GAP, 1])
		while len(blocks) > 1 and mean(blocks[-2]) > mean(blocks[-1]):
			total, n = blocks.pop()
			blocks[-1][0] += total
			blocks[-1][1] += n
	flat = [mean(block) for block in blocks for _ in range(block[1])]
	return [min(max(place, low), high - (len(flat) - 1) * GAP) + i * GAP
		for i, place in enumerate(flat)]


def lanes(pairs):
	"""How far out each wire turns, 0 nearest, so that none crosses another."""
	up = [i for i, (pin_y, part_y) in enumerate(pairs) if part_y < pin_y - 0.5]
	down = [i for i, (pin_y, part_y) in enumerate(pairs) if part_y > pin_y + 0.5]
	found = {i: n for n, i in enumerate(up)}
	found.update({i: n for n, i in enumerate(reversed(down))})
	return found


def places(mine, where):
	"""(part, its height, its lane) of the parts of one side."""
	low = row_y(CLOCK["GND"]) + 66 if where == "l" else row_y(GROUND_PIN["r"]) + GAP
	high = row_y(GROUND_PIN["l"]) - 40 if where == "l" else row_y(40)
	heights = spread([row_y(part[3]) for part in mine], low, high)
	turns = lanes([(row_y(part[3]), y) for part, y in zip(mine, heights)])
	return [(part, y, turns.get(n, 0)) for n, (part, y) in enumerate(zip(mine, heights))]


def route(pin, y, lane):
	"""From the pin to its part's height."""
	where = side(pin)
	out, start = (-1, LEFT) if where == "l" else (1, RIGHT)
	turn = start + out * (116 + 15 * lane) # beyond the flags
	return [(start, row_y(pin)), (turn, row_y(pin)), (turn, y), (NEAR[where], y)]


# --- drawing ---

class Sheet:
	def __init__(self):
		self.lines = []

	def add(self, text):
		self.lines.append(text)

	def wire(self, points, colour, width=2.4):
		path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
		self.add(f'<path d="{path}" stroke="{colour}" stroke-width="{width:g}"/>')

	def dot(self, x, y, radius=3.6, colour=INK):
		self.add(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}" '
			'stroke="none"/>')

	def box(self, x, y, w, h, colour=INK, fill="#fff"):
		self.add(f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="3" '
			f'stroke="{colour}" stroke-width="1.6" fill="{fill}"/>')

	def text(self, x, y, text, size=14, colour=INK, anchor="start", bold=False):
		weight = ' font-weight="600"' if bold else ""
		self.add(f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{colour}" '
			f'text-anchor="{anchor}"{weight}>{escape(text)}</text>')

	def svg(self, title):
		return "\n".join([
			f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
			'font-family="Helvetica, Arial, sans-serif" fill="none" '
			'stroke-linejoin="round" stroke-linecap="round">',
			f"<title>{escape(title)}</title>",
			f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
			*self.lines, "</svg>", ""])


def draw_symbol(sheet, kind, colour, x, y, out):
	"""Between the wire at x and the ground beyond, on the line y; returns where it ends."""
	ink = 1.8
	if kind == "lamp":
		a = x + out * 46
		sheet.wire([(x, y), (x + out * 8, y)], colour)
		sheet.box(min(x + out * 8, a), y - 7, 38, 14) # the resistor
		sheet.text(x + out * 27, y - 11, "330 \u03a9", 11, QUIET, "middle")
		sheet.wire([(a, y), (a + out * 14, y)], INK, ink)
		b = a + out * 32
		sheet.add(f'<path d="M{a + out * 14:g} {y - 10:g} V{y + 10:g} L{b:g} {y:g} Z" '
			f'fill="{colour}" stroke="{INK}" stroke-width="1.4"/>')
		sheet.wire([(b, y - 10), (b, y + 10)], INK, 2)
		for d in (0, 8):
			p = a + out * (20 + d)
			sheet.wire([(p, y - 13), (p + out * 5, y - 20)], colour, 1.4)
		return b
	a, b = x + out * 20, x + out * 58
	sheet.wire([(x, y), (a, y)], colour)
	sheet.dot(a, y, 3.2)
	sheet.dot(b, y, 3.2)
	if kind == "switch":
		sheet.wire([(a, y), (b - out * 4, y - 14)], INK, ink)
	else:
		sheet.wire([(a - out * 2, y - 8), (b + out * 2, y - 8)], INK, ink)
		sheet.wire([((a + b) / 2, y - 8), ((a + b) / 2, y - 16)], INK, ink)
		sheet.wire([((a + b) / 2 - 7, y - 16), ((a + b) / 2 + 7, y - 16)], INK, ink)
	return b


def label(sheet, part, y, out):
	kind, name, text, pin = part
	x = GROUND[side(pin)] - out * 16
	anchor = "start" if out < 0 else "end"
	sheet.text(x, y - 23, text, 15, bold=True, anchor=anchor)
	more = f"button {name}, " if kind == "button" and name.isdigit() else ""
	sheet.text(x, y - 7, f"{more}pin {pin}", 12.5, QUIET, anchor)


def draw_part(sheet, part, y, lane):
	kind, name, _, pin = part
	where = side(pin)
	out = -1 if where == "l" else 1
	near = NEAR[where]
	colour = WIRES.get(name) or OTHERS[pin % len(OTHERS)]
	sheet.wire(route(pin, y, lane), colour)
	if kind == "motor":
		draw_motor(sheet, part, y, near, out, colour)
		return
	end = draw_symbol(sheet, kind, colour, near, y, out)
	sheet.wire([(end, y), (GROUND[where], y)], INK, 1.8)
	sheet.dot(GROUND[where], y)
	label(sheet, part, y, out)


def draw_motor(sheet, part, y, near, out, colour):
	"""A motor module: its transistor takes the little that a pin can give."""
	x = near if out > 0 else near - 112
	sheet.box(x, y - 17, 112, 62)
	sheet.text(x + 56, y + 33, "motor module", 12.5, QUIET, "middle")
	edge = x + (112 if out > 0 else 0)
	for down, name in ((-0.5, "IN"), (17.5, "VCC")):
		sheet.text(near + out * 8, y + down, name, 12, anchor="start" if out > 0 else "end")
	flag(sheet, near, y + 16, -out, f"pin {MOTOR_PLUS_PIN}, 5 V", SUPPLY)
	sheet.text(edge - out * 8, y + 4, "GND", 12, anchor="end" if out > 0 else "start")
	sheet.wire([(edge, y), (GROUND[side(part[3])], y)], INK, 1.8)
	sheet.dot(GROUND[side(part[3])], y)
	label(sheet, part, y - 4, out)


def flag(sheet, x, y, out, text, colour):
	"""A short wire and, at its end, where it goes to."""
	end = x + out * 18
	sheet.wire([(x, y), (end, y)], colour)
	w = 14 + 7.4 * len(text)
	left = end if out > 0 else end - w
	sheet.box(left, y - 9, w, 18, colour)
	sheet.text(left + w / 2, y + 4.2, text, 12, colour, "middle", bold=True)


def draw_header(sheet, used):
	sheet.box(LEFT - 22, TOP - 24, RIGHT - LEFT + 44, 19 * PITCH + 48, fill="#f4f4f2")
	for pin, line in enumerate(HEADER, 1):
		out = -1 if pin % 2 else 1
		x, y = (LEFT if out < 0 else RIGHT), row_y(pin)
		live = pin in used
		colour = INK if live else HAIR
		if pin == 1:
			sheet.box(x - 12, y - 12, 24, 24, colour)
		else:
			sheet.add(f'<circle cx="{x}" cy="{y}" r="12" stroke="{colour}" '
				'stroke-width="1.6" fill="#fff"/>')
		sheet.text(x, y + 4.6, str(pin), 13, INK if live else QUIET, "middle", live)
		name = f"GPIO{line}" if isinstance(line, int) else line
		sheet.text(x - out * 20, y + 4.6, name, 12.5, INK if live else HAIR,
			"start" if out < 0 else "end")


def draw_ground(sheet, last):
	for where, pin in GROUND_PIN.items():
		x = GROUND[where]
		start = LEFT if where == "l" else RIGHT
		ends = sorted([row_y(pin), last[where]])
		sheet.wire([(start, row_y(pin)), (x, row_y(pin))], INK, 2.4)
		sheet.wire([(x, ends[0]), (x, ends[1])], INK, 2.4)
		out = -1 if where == "l" else 1
		sheet.text(x - out * 16, row_y(pin) - 8, f"ground, pin {pin}", 12.5, QUIET,
			"start" if out < 0 else "end")


def draw_clock(sheet):
	x, w = 150, 150
	sheet.box(x, row_y(1) - 20, w, 4 * PITCH + 40)
	sheet.text(x + 14, row_y(3), "Clock", 15, bold=True)
	sheet.text(x + 14, row_y(3) + 17, "DS3231 with", 12.5, QUIET)
	sheet.text(x + 14, row_y(3) + 32, "its battery", 12.5, QUIET)
	for name, pin in CLOCK.items():
		colour = {"VCC": SUPPLY, "GND": INK, "SDA": DATA, "SCL": CLOCKS}[name]
		sheet.wire([(LEFT, row_y(pin)), (x + w, row_y(pin))], colour)
		sheet.text(x + w - 8, row_y(pin) + 4.4, name, 12, anchor="end")


def draw_microphone(sheet, board):
	if not is_i2s(board):
		x, y = 950, 800
		sheet.box(x, y, 214, 58)
		sheet.text(x + 14, y + 24, "USB microphone", 15, bold=True)
		sheet.text(x + 14, y + 43, "in any USB socket of the Pi", 12.5, QUIET)
		return
	x, y = 894, 532
	sheet.box(x, y, 168, 23 * len(I2S) + 10)
	sheet.text(x + 56, y + 26, "Microphone", 15, bold=True)
	sheet.text(x + 56, y + 44, "I2S, ICS-43434", 12.5, QUIET)
	for n, (name, pin) in enumerate(I2S.items()):
		at = y + 17 + 23 * n
		colour = {"3V": SUPPLY, "SCK": CLOCKS, "WS": "#1f5fa8", "SD": DATA}.get(name, INK)
		sheet.text(x + 8, at + 4.2, name, 12)
		flag(sheet, x, at, -1, f"pin {pin}", colour)
		if name != "L/R":
			start, end = (LEFT - 12, -1) if pin % 2 else (RIGHT + 12, 1)
			flag(sheet, start, row_y(pin), end, f"mic {name}", colour)


def draw(path):
	board = read(path)
	all_parts = parts(board)
	sheet = Sheet()
	title = board["board"].get("title", "")
	sheet.text(60, 52, f"Chalkbox: {title}", 24, bold=True)
	sheet.text(60, 76, f"Drawn from board/{os.path.basename(path)}. The header from above, the "
		"SD card at the top: odd pins inside, even pins at the board's edge.", 13.5, QUIET)
	used = {part[3] for part in all_parts} | set(CLOCK.values()) | set(GROUND_PIN.values())
	if is_i2s(board):
		used |= set(I2S.values())
	if any(part[0] == "motor" for part in all_parts):
		used.add(MOTOR_PLUS_PIN)
	last = {}
	for where in ("l", "r"):
		mine = places([part for part in all_parts if side(part[3]) == where], where)
		for part, y, lane in mine:
			draw_part(sheet, part, y, lane)
		ends = [y for _, y, _ in mine] or [row_y(GROUND_PIN[where])]
		last[where] = ends[0] if where == "l" else ends[-1]
	draw_ground(sheet, last)
	draw_clock(sheet)
	if MOTOR_PLUS_PIN in used:
		flag(sheet, RIGHT + 12, row_y(MOTOR_PLUS_PIN), 1, "motor VCC", SUPPLY)
	draw_microphone(sheet, board)
	draw_header(sheet, used)
	notes = ["Buttons close to ground while pressed; the pull-ups are inside the Pi. Mute "
		"closed: the microphone is off.",
		"Each lamp has a resistor of 330 \u03a9; its long leg is on the resistor's side. "
		"A motor is never joined to a pin directly.",
		"Grey pins stay free. Power off before wires are changed; 5 V on any other pin "
		"destroys the Pi."]
	for n, note in enumerate(notes):
		sheet.text(60, 836 + 20 * n, note, 13)
	return sheet.svg(f"How {title} is wired")


def main():
	if len(sys.argv) != 2:
		sys.exit("usage: board/wiring.py BOARD.conf > WIRING.svg")
	try:
		sys.stdout.write(draw(sys.argv[1]))
	except (Wrong, KeyError, OSError, configparser.Error) as error:
		sys.exit(f"wiring.py: {sys.argv[1]}: {error}")


if __name__ == "__main__":
	main()
