"""
How speech made here says that it was made: marks that machines read, and one that stays in the sound.

``marks``      who made it, as headers and as tags of audio files
``watermark``  puts an inaudible mark into the samples
``detection``  finds it again, after telephones, codecs and noise
"""
