"""How do I do it all from one file?"""
