"""How fast is this crawler, next to others and under load?"""
