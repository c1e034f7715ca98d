# -*- coding: latin-1 -*-
name = 'Müller'
