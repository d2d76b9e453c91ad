"""Units behind a number: how each is said, one and many."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _plurals(*names: str) -> dict[str, tuple[str, str]]:
    table: dict[str, tuple[str, str]] = {}
    for name in names:
        symbols, _, said = name.partition(" ")
        for symbol in symbols.split("|"):
            table[symbol] = (said, said + "s")
    return table


UNITS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **_plurals(
            "km kilometer",
            "m meter",
            "cm centimeter",
            "mm millimeter",
            "µm|μm micrometer",
            "nm nanometer",
            "mi mile",
            "yd yard",
            "kg kilogram",
            "g gram",
            "mg milligram",
            "µg|μg microgram",
            "lb|lbs pound",
            "tsp teaspoon",
            "tbsp tablespoon",
            "oz ounce",
            "L|l liter",
            "ml|mL milliliter",
            "cl centiliter",
            "gal gallon",
            "h|hr|hrs hour",
            "min|mins minute",
            "s|sec|secs second",
            "ms millisecond",
            "µs|μs microsecond",
            "ns nanosecond",
            "KB|kB|Kb kilobyte",
            "MB megabyte",
            "GB gigabyte",
            "TB terabyte",
            "W watt",
            "kW kilowatt",
            "MW megawatt",
            "kWh kilowatt hour",
            "V volt",
            "mV millivolt",
            "mA milliampere",
            "J joule",
            "kJ kilojoule",
            "cal calorie",
            "kcal kilocalorie",
            "dB decibel",
            "px pixel",
            "pt|pts point",
            "N newton",
            "Pa pascal",
            "kPa kilopascal",
            "ha hectare",
        ),
        "ft": ("foot", "feet"),
        "in": ("inch", "inches"),
        "Hz": ("hertz", "hertz"),
        "kHz": ("kilohertz", "kilohertz"),
        "MHz": ("megahertz", "megahertz"),
        "GHz": ("gigahertz", "gigahertz"),
        "kbps": ("kilobit per second", "kilobits per second"),
        "Mbps": ("megabit per second", "megabits per second"),
        "Gbps": ("gigabit per second", "gigabits per second"),
        "mph": ("mile per hour", "miles per hour"),
        "km/h": ("kilometer per hour", "kilometers per hour"),
        "kph": ("kilometer per hour", "kilometers per hour"),
        "m/s": ("meter per second", "meters per second"),
        "rpm": ("revolution per minute", "revolutions per minute"),
        "fps": ("frame per second", "frames per second"),
        "bpm": ("beat per minute", "beats per minute"),
        "km²": ("square kilometer", "square kilometers"),
        "m²": ("square meter", "square meters"),
        "m³": ("cubic meter", "cubic meters"),
        "cm²": ("square centimeter", "square centimeters"),
        "ft²": ("square foot", "square feet"),
        "cm³": ("cubic centimeter", "cubic centimeters"),
        "°C": ("degree Celsius", "degrees Celsius"),
        "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
        "°": ("degree", "degrees"),
        "%": ("percent", "percent"),
        "‰": ("per mille", "per mille"),
    }
)
"""By symbol, case sensitive as the SI has it."""
